"""Tasks that are sent or scheduled by their name as a text: ``send_task("jobs.clean")``, a beat schedule."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted

_CALLS = frozenset({"send_task", "signature", "AsyncKicker", "add_periodic_task", "enqueue"})
_KEYS = frozenset({"task", "task_name", "name"})


def _collect(module: Module) -> Iterator[str]:
    """Yield each name that may be a task's, without its module."""
    for node in module.nodes:
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _CALLS:
            values = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg in _KEYS)]
        elif isinstance(node, ast.Dict):
            values = [
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "task"
            ]
        else:
            continue
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value.replace(":", ".").rpartition(".")[2]


_LITERALS = (b"send_task", b"beat_schedule", b"BEAT_SCHEDULE", b"AsyncKicker", b"CELERYBEAT")

COLLECTOR = Collector("named-tasks", 3, _LITERALS, _collect)
