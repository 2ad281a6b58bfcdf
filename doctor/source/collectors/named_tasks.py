"""Tasks that are sent or scheduled by their name as a text, or given to some function that may send them.

``send_task("jobs.clean")``, a beat schedule; ``background.add_task(clean.kiq)`` and ``send(clean, 1)``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.libraries import VERBS

_CALLS = frozenset({"send_task", "signature", "AsyncKicker", "add_periodic_task", "enqueue"})
_KEYS = frozenset({"task", "task_name", "name"})


def _collect(module: Module) -> Iterator[str]:
    """Yield each name that may be a task's, without its module."""
    for node in module.nodes:
        if isinstance(node, ast.Call):
            yield from _given(module, node)
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


def _given(module: Module, call: ast.Call) -> Iterator[str]:
    """Yield the names of functions, and of the owners of a task's methods, that a call is given."""
    for value in (*call.args, *(keyword.value for keyword in call.keywords)):
        if isinstance(value, ast.Attribute) and value.attr in VERBS:
            yield module.origin(value.value).rpartition(".")[2]
        elif isinstance(value, ast.Name) and (value.id in module.origins or value.id in module.function_names):
            yield module.origin(value).rpartition(".")[2]


_LITERALS = (
    *(b"send_task", b"beat_schedule", b"BEAT_SCHEDULE", b"AsyncKicker", b"CELERYBEAT"),
    *(b".kiq", b".delay", b".apply_async", b"tasks import"),
)

COLLECTOR = Collector("named-tasks", 2, _LITERALS, _collect)
