"""Decorated functions in the examples of docstrings, with their decorators as written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.module_facts import FunctionFacts, RawDecorator

_DECORATORS = re.compile(
    r"(?P<decorators>(?:^[ \t]*(?:(?:>>>|\.\.\.)[ ])?@[^\n]+\n){2,})"
    r"^[ \t]*(?:\.\.\.[ ])?(?P<async>async[ ]+)?def[ ]+(?P<name>\w+)",
    re.MULTILINE,
)
"""Two decorators or more, one a line, and the head of their function; also behind the prompts of a doctest."""


def _collect(module: Module) -> Iterator[FunctionFacts]:
    for line, text in _docstrings(module.tree):
        for match in _DECORATORS.finditer(text):
            first = line + text.count("\n", 0, match.start())
            decorators = tuple(_read(match["decorators"].splitlines(), first))
            if None not in decorators:
                at = first + len(decorators)
                yield FunctionFacts(match["name"], at, bool(match["async"]), decorators, {}, {}, False, False, None)  # type: ignore[arg-type]


def _docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    """Yield line and text of the docstrings of a module, its classes and functions; no other node is looked at."""
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        yield first.lineno, first.value.value
    for statement in node.body:
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _docstrings(statement)


def _read(lines: list[str], first: int) -> Iterator[RawDecorator | None]:
    """Yield each decorator, or None for one that is no expression."""
    for number, line in enumerate(lines, first):
        text = line[line.index("@") :].strip()
        try:
            expression = ast.parse(text[1:].strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            yield None
            continue
        is_call = isinstance(expression, ast.Call)
        name = dotted(expression.func if isinstance(expression, ast.Call) else expression)
        yield RawDecorator(text, name, number, number, is_call)


COLLECTOR = Collector("docstring-examples", 1, (), _collect)
