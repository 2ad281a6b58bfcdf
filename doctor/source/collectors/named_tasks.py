"""Tasks that are sent or scheduled by their name as a text: ``send_task("jobs.clean")``, a beat schedule."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import dotted

_CALLS = frozenset({"send_task", "signature", "AsyncKicker", "add_periodic_task", "enqueue"})
_KEYS = frozenset({"task", "task_name", "name"})
_CERTAIN = frozenset({"send_task", "AsyncKicker"})
"""Calls whose name is that of a task for certain; ``schedule`` in the same dictionary says so of an entry."""


@dataclass(frozen=True, slots=True)
class NamedTask:
    """A name, as written. ``certain``: it can be nothing but a task's, stands nowhere else in the file, and the
    file is an application's.
    """

    path: str
    line: int
    function: str
    name: str
    text: str
    certain: bool = False


def _collect(module: Module) -> Iterator[NamedTask]:
    found = [(value, certain) for node in module.nodes for value, certain in _names(node)]
    apart = APART.search(module.path) is not None
    times = Counter(node.value for node in (module.nodes if found else ()) if isinstance(node, ast.Constant))
    for value, certain in found:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            only = times[value.value] == sum(_same(one, value) for one, _ in found)
            yield NamedTask(
                module.path,
                value.lineno,
                module.enclosing(value.lineno),
                value.value,
                module.line(value.lineno),
                certain and only and not apart,
            )


def _names(node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    """Yield the expressions in a node that name a task, each with whether that is certain."""
    if isinstance(node, ast.Call) and (callee := dotted(node.func).rpartition(".")[2]) in _CALLS:
        given: Iterable[ast.expr] = (*node.args[:1], *(one.value for one in node.keywords if one.arg in _KEYS))
        yield from ((value, callee in _CERTAIN) for value in given)
    elif isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        entry = {key.value: value for key, value in pairs if isinstance(key, ast.Constant)}
        if "task" in entry:
            yield entry["task"], "schedule" in entry


def _same(one: ast.expr, other: ast.Constant) -> bool:
    return isinstance(one, ast.Constant) and one.value == other.value


_LITERALS = (b"send_task", b"beat_schedule", b"BEAT_SCHEDULE", b"AsyncKicker", b"CELERYBEAT")

COLLECTOR = Collector("named-tasks", 4, _LITERALS, _collect)
