"""The retry decorator stands above the task decorator.

The module's name is then bound to the retry wrapper, which has no ``kiq``. The worker still registers and can run the
task, so it looks healthy; only enqueuing fails. The scoring task and the extraction task both have it: one blocks the
chain before the threshold, the other after it.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import called_name, parse, range_of, read_lines, swap_ranges, write_lines
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILES = ("tasks/scoring.py", "tasks/extraction.py")
TASK, RETRY = "broker.task", "task_retry_with_dlq"


def _order(path: Path, upper: str, lower: str) -> None:
    """Exchange the two decorators wherever ``lower`` stands right above ``upper``."""
    lines = read_lines(path)
    for node in ast.walk(parse(path, lines)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for first, second in zip(node.decorator_list, node.decorator_list[1:], strict=False):
            if (called_name(first), called_name(second)) == (lower, upper):
                # Ranges further down move only by the difference in length, and the ends of the pair do not move.
                lines = swap_ranges(lines, range_of(first), range_of(second))
    write_lines(path, lines)


def _break(sandbox: Sandbox) -> None:
    for name in FILES:
        _order(sandbox.layout.app / name, upper=RETRY, lower=TASK)


def _heal(sandbox: Sandbox) -> None:
    for name in FILES:
        _order(sandbox.layout.app / name, upper=TASK, lower=RETRY)


FAULT = Fault(
    name="decorator-order",
    case="C1",
    title="The retry decorator stands above the task decorator",
    description=__doc__ or "",
    expected=Expectation(roots=("TSK001",), effects=("CHN001", "CHN002")),
    break_=_break,
    heal=_heal,
    touches=("tasks/scoring.py", "tasks/extraction.py"),
    edits_code=True,
)
