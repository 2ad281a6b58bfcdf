"""How TaskIQ brokers over NATS are made: their class, and the settings by which tasks are lost or doubled."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.walk import walk

KINDS = ("NatsBroker", "PullBasedJetStreamBroker", "PushBasedJetStreamBroker")


@dataclass(frozen=True, slots=True)
class BrokerCall:
    """One construction, assigned to ``name`` (empty: to none).

    ``settings`` are the keywords given; ``ack_wait`` is in seconds, None where it cannot be read. ``limits``: the
    stream has a limit or drops what is acknowledged. ``unknown``: keywords come from a dictionary, so that what is
    absent may be given all the same.
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


_LIMITS = frozenset({"retention", "max_age", "max_msgs", "max_bytes", "max_msgs_per_subject"})
_DEFAULT_ACK_WAIT = 30.0
"""Seconds; the server's default (nats-server 2.15)."""


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
            if kind in KINDS and origin.startswith("taskiq_nats."):
                yield _read(module, node, kind, names.get(node, ""))


def _read(module: Module, node: ast.Call, kind: str, name: str) -> BrokerCall:
    keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
    given = {name: value for name, value in keywords.items() if not _is_none(value)}
    consumer, stream = given.get("consumer_config"), given.get("stream_config")
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


COLLECTOR = Collector("broker-settings", 1, (b"taskiq_nats",), _collect)
