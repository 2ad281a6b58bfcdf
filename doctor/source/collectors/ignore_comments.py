"""Comments that silence a finding: ``# doctor: ignore[TSK001] reason="…" until=2027-01-31``."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from doctor.source.collector import Collector, Module

_COMMENT = re.compile(r"#\s*doctor:\s*ignore\b(?P<rest>.*)")
_REST = re.compile(
    r"\[(?P<codes>[A-Z]{3}\d{0,3}(?:\s*,\s*[A-Z]{3}\d{0,3})*)\]"
    r"(?:\s+reason=\"(?P<reason>[^\"]*)\")?(?:\s+until=(?P<until>\d{4}-\d\d-\d\d))?\s*$"
)

_SIMPLE = (
    ast.Expr,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Return,
    ast.Raise,
    ast.Assert,
    ast.Import,
    ast.ImportFrom,
)
"""Statements without statements in them."""


@dataclass(frozen=True, slots=True)
class IgnoreComment:
    """One comment. It holds for findings of ``codes`` (or prefixes) on the lines ``first`` to ``last``.

    Those are the lines of the statement that it stands in, or the whole function or class when it stands on a line of
    its head. ``problem`` says why it cannot be used.
    """

    path: str
    line: int
    first: int
    last: int
    text: str
    codes: tuple[str, ...] = ()
    reason: str = ""
    until: date | None = None
    problem: str = ""

    def used_for(self, code: str, path: str | None, line: int | None) -> frozenset[str]:
        """Return those of its codes or prefixes by which it is meant for a finding."""
        inside = path == self.path and line is not None and self.first <= line <= self.last
        return frozenset(one for one in self.codes if inside and code.startswith(one))


def _collect(module: Module) -> Iterator[IgnoreComment]:
    for line, comment in _comments(module):
        match = _COMMENT.search(comment)
        if match is None:
            continue
        first, last = _covered(module, line)
        shown = comment[match.start() :].strip()
        yield _read(IgnoreComment(module.path, line, first, last, shown), match["rest"])


def _read(comment: IgnoreComment, rest: str) -> IgnoreComment:
    match = _REST.match(rest.strip())
    place = (comment.path, comment.line, comment.first, comment.last, comment.text)
    if match is None:
        return IgnoreComment(*place, problem='it is not of the form `ignore[CODE] reason="…" until=YYYY-MM-DD`')
    codes = tuple(code.strip() for code in match["codes"].split(","))
    reason = (match["reason"] or "").strip()
    until = None
    problem = "" if reason else "it gives no reason"
    if match["until"]:
        try:
            until = date.fromisoformat(match["until"])
        except ValueError:
            problem = f"there is no day {match['until']}"
    return IgnoreComment(*place, codes, reason, until, problem)


def _comments(module: Module) -> Iterator[tuple[int, str]]:
    text = "\n".join(module.lines) + "\n"
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return  # the parser has read the file, so this is an oddity at its end


def _covered(module: Module, line: int) -> tuple[int, int]:
    """Return the lines for which a comment on ``line`` holds."""
    statement = line, line
    for node in module.nodes:
        if isinstance(node, _SIMPLE) and node.lineno <= line <= (node.end_lineno or node.lineno):
            statement = node.lineno, node.end_lineno or node.lineno
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            head = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if head <= line < node.body[0].lineno or line == node.lineno:
                return head, node.end_lineno or node.lineno
    return statement


COLLECTOR = Collector("ignore-comments", 2, (b"doctor: ignore", b"doctor:ignore"), _collect)
