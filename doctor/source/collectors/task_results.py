"""Where the result of a TaskIQ task is waited for, and where a broker is given a place to keep results."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.in_code import any_in_code

WAITS = frozenset({"wait_result"})
KEEPS = "with_result_backend"


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One place that waits for a result, or (``is_kept``) gives a broker its result backend."""

    path: str
    line: int
    text: str
    is_kept: bool


def _collect(module: Module) -> Iterator[TaskResult]:
    for node in module.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        kept = name == KEEPS or any(keyword.arg == "result_backend" for keyword in node.keywords)
        if kept or name in WAITS:
            yield TaskResult(module.path, node.lineno, module.line(node.lineno), kept)


_SAID = re.compile(rb"\bwait_result\s*\(|result_backend\s*[(=]")


def _places(content: bytes) -> list[int]:
    return [one.start() for one in _SAID.finditer(content)]


COLLECTOR = Collector(
    "task-results",
    1,
    (b"wait_result", b"result_backend"),
    _collect,
    looks=lambda content: any_in_code(content, _SAID.finditer(content)),
    within=_places,
)
