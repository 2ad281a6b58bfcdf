"""How TaskIQ brokers over NATS are made: their class, and the settings by which tasks are lost or doubled."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from doctor.redaction import redact_value
from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.walk import walk

KINDS = ("NatsBroker", "PullBasedJetStreamBroker", "PushBasedJetStreamBroker")

Values: TypeAlias = tuple[tuple[str, str | int | float], ...]
"""Settings that the text itself gives, by name; what is computed elsewhere is not among them."""


@dataclass(frozen=True, slots=True)
class BrokerCall:
    """One construction, assigned to ``name`` (empty: to none).

    ``made_from`` is the full name of the class; ``kind`` is empty where that is none of taskiq-nats itself but may be
    derived from one (``broker_classes``). ``settings`` are the keywords given; ``ack_wait`` is in seconds, None where
    it cannot be read. ``limits``: the stream has a limit or drops what is acknowledged. ``unknown``: keywords come from
    a dictionary, so that what is absent may be given all the same. ``values``, ``stream`` and ``consumer`` are what can
    be read of the keywords and of the two configurations.
    """

    path: str
    line: int
    name: str
    text: str
    kind: str
    settings: tuple[str, ...]
    ack_wait: float | None
    limits: bool
    unknown: bool
    made_from: str = ""
    values: Values = ()
    stream: Values = ()
    consumer: Values = ()


_LIMITS = frozenset({"retention", "max_age", "max_msgs", "max_bytes", "max_msgs_per_subject"})
_DEFAULT_ACK_WAIT = 30.0
"""Seconds; the server's default (nats-server 2.15)."""

_TELLING = frozenset({"stream_config", "consumer_config", "pull_consume_timeout", "pull_consume_batch"})
"""Keywords that only a broker over JetStream takes, whatever its class is called."""

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_ENUMS = {"WORK_QUEUE": "workqueue"}
"""Members of the enums of nats-py whose value is not their name in small letters."""


def _collect(module: Module) -> Iterator[BrokerCall]:
    names = {
        inner: dotted(target)
        for node in module.nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        for inner in walk(node.value)
        if isinstance(inner, ast.Call)
    }
    for node in module.nodes:
        if isinstance(node, ast.Call):
            origin = module.origin(node.func)
            kind = origin.rpartition(".")[2]
            direct = kind in KINDS and origin.startswith("taskiq_nats.")
            if direct or _TELLING & {keyword.arg for keyword in node.keywords}:
                yield _read(module, node, kind if direct else "", names.get(node, ""))


def _read(module: Module, node: ast.Call, kind: str, name: str) -> BrokerCall:
    keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
    given = {name: value for name, value in keywords.items() if not _is_none(value)}
    consumer, stream = given.get("consumer_config"), given.get("stream_config")
    constants = _constants(module)
    origin = module.absolute(module.origin(node.func))
    return BrokerCall(
        path=module.path,
        line=node.lineno,
        name=name,
        text=module.line(node.lineno),
        kind=kind,
        settings=tuple(sorted(given)),
        ack_wait=_DEFAULT_ACK_WAIT if consumer is None else _ack_wait(consumer),
        limits=stream is not None and _has_limits(stream),
        unknown=len(keywords) != len(node.keywords) or len(node.args) > 1,
        made_from=origin if "." in origin else f"{module.name}.{origin}",
        values=_values(given, constants),
        stream=_of_config(stream, constants),
        consumer=_of_config(consumer, constants),
    )


def _ack_wait(config: ast.expr) -> float | None:
    """Return the seconds of ``ConsumerConfig(ack_wait=…)``: the default when it is not given, None when unreadable."""
    if not isinstance(config, ast.Call):
        return None
    for keyword in config.keywords:
        if keyword.arg is None:
            return None
        if keyword.arg == "ack_wait":
            value = keyword.value
            is_number = isinstance(value, ast.Constant) and isinstance(value.value, (int, float))
            return float(value.value) if is_number else None  # type: ignore[attr-defined]
    return _DEFAULT_ACK_WAIT


def _has_limits(config: ast.expr) -> bool:
    if not isinstance(config, ast.Call):
        return True  # a name: what it holds is not known
    return any(keyword.arg is None or keyword.arg in _LIMITS for keyword in config.keywords)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _of_config(config: ast.expr | None, constants: Mapping[str, ast.expr]) -> Values:
    if not isinstance(config, ast.Call):
        return ()
    return _values({word.arg: word.value for word in config.keywords if word.arg is not None}, constants)


def _values(keywords: Mapping[str, ast.expr], constants: Mapping[str, ast.expr]) -> Values:
    read = {name: _value(node, constants) for name, node in keywords.items()}
    return tuple(
        (name, redact_value(name, value) if isinstance(value, str) else value)
        for name, value in read.items()
        if value is not None
    )


def _value(node: ast.expr, constants: Mapping[str, ast.expr]) -> str | int | float | None:
    """Return what an expression of literals is worth: a number, a text, the member of an enum; else None."""
    if isinstance(node, ast.Name) and node.id in constants:
        node = constants[node.id]
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, (str, int, float)) else None
    if isinstance(node, ast.Attribute) and node.attr.isupper():
        return _ENUMS.get(node.attr, node.attr.lower())
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, constants), _value(node.right, constants)
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return _OPERATORS[type(node.op)](left, right)  # type: ignore[no-any-return]
    return None


def _constants(module: Module) -> dict[str, ast.expr]:
    """Return the literals that the module assigns to names."""
    return {
        dotted(node.targets[0]): node.value
        for node in module.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Constant, ast.BinOp))
    }


COLLECTOR = Collector(
    "broker-settings", 3, (b"taskiq_nats", b"stream_config", b"consumer_config", b"pull_consume"), _collect
)
