"""Places that tell JetStream that a message is being worked on, so that it is not delivered again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """One call of ``in_progress()``."""

    path: str
    line: int


def _collect(module: Module) -> Iterator[ProgressReport]:
    for node in module.nodes:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "in_progress"
            and not (node.args or node.keywords)
        ):
            yield ProgressReport(module.path, node.lineno)


COLLECTOR = Collector("progress-reports", 1, (b".in_progress(",), _collect)
