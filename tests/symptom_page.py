"""What the tests' marks say of symptoms, and the page that is written from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.symptoms import ALL, CAUSES, Cause

TESTS = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Marked:
    """A test that bears one of the two marks. ``verdict`` is the check that a variation is told by; "": none is."""

    test: str
    kind: str
    number: str
    verdict: str = ""
    holds: bool = True
    """Whether it holds its run against the mark."""


def marked() -> Iterator[Marked]:
    """Yield what the tests' marks say, in the order of files and lines."""
    for path in sorted(TESTS.glob("**/test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "symptom(" in text or "variation(" in text:
            for function in ast.parse(text).body:
                if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield from _marks(function)


def _marks(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Marked]:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    holds = any(isinstance(call.func, ast.Name) and call.func.id == "told" for call in calls)
    for call in calls:
        kind = _mark(call.func)
        words = [word.value for word in call.args if isinstance(word, ast.Constant)]
        if kind == "symptom":
            yield from (Marked(function.name, kind, str(number), holds=holds) for number in words)
        elif kind == "variation":
            yield Marked(function.name, kind, str(words[0]), str(words[1] or ""), holds)


def _mark(called: ast.expr) -> str:
    """Return the name of a mark of pytest, or an empty text."""
    match called:
        case ast.Attribute(value=ast.Attribute(attr="mark"), attr=name):
            return name
    return ""


HEADING = """\
# From the symptom to the cause

One symptom has several causes that look the same in a log. For each the doctor asks the question that tells them apart,
and says which others it ruled out. The tests wrote this page: each line is produced on real sockets, its cause must be
named in these words, and the same run must rule out what stands in the last column.

| | what people see | the question that decides | the cause | told by | ruled out with it |
|---|---|---|---|---|---|
"""
BELOW = """
## The same symptom with another cause

| | told by | the test |
|---|---|---|
"""


def page() -> str:
    """Return the table as a page."""
    order = [*CAUSES]
    variations = [each for each in marked() if each.kind == "variation"]
    others = [_variation(each) for each in sorted(variations, key=lambda each: order.index(each.number))]
    return "\n".join((HEADING + "\n".join(map(_line, ALL)), BELOW + "\n".join(others), ""))


def _line(cause: Cause) -> str:
    told_by = f"{cause.check}: *{cause.says}*"
    ruled_out = ", ".join(cause.look_alikes) or "–"
    return f"| {cause.number} | {cause.symptom} | {cause.question} | {cause.cause} | {told_by} | {ruled_out} |"


def _variation(marked: Marked) -> str:
    words = marked.test.removeprefix("test_").replace("_", " ")
    return f"| {marked.number} | {marked.verdict or 'nobody: there is nothing'} | {words} |"
