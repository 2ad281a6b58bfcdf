"""Edits of the sandbox's copy of the code, line by line: everything else in a file stays as it is, byte for byte."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from doctor.pipeline.sandbox.errors import SandboxError
from doctor.pipeline.sandbox.files import replace_bytes


class EditError(SandboxError):
    """The code is not what the fault expects; make the sandbox anew."""


def read_lines(path: Path) -> list[bytes]:
    """Return the lines of a file with their endings.

    Raises:
        EditError: the file is not there.
    """
    try:
        return path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise EditError(f"{path} cannot be read: {error}; make the sandbox anew") from error


def write_lines(path: Path, lines: list[bytes]) -> None:
    """Replace a file in one step, with its permissions; nothing is written when it would not change."""
    content = b"".join(lines)
    if content != path.read_bytes():
        replace_bytes(path, content, path.stat().st_mode & 0o777)


def parse(path: Path, lines: list[bytes]) -> ast.Module:
    """Parse the lines of a file.

    Raises:
        EditError: they are not Python.
    """
    try:
        return ast.parse(b"".join(lines), str(path))
    except SyntaxError as error:
        raise EditError(f"{path} does not parse: {error}; make the sandbox anew") from error


def called_name(decorator: ast.expr) -> str:
    """Return the dotted name of a decorator, called or not: ``broker.task``, ``task_retry_with_dlq``."""
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)


def swap_ranges(lines: list[bytes], first: tuple[int, int], second: tuple[int, int]) -> list[bytes]:
    """Return the lines with two ranges exchanged; a range is its first and last line, counted from 1."""
    (a, b), (c, d) = first, second
    return [*lines[: a - 1], *lines[c - 1 : d], *lines[b : c - 1], *lines[a - 1 : b], *lines[d:]]


def range_of(node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return the first and the last line of a node."""
    return node.lineno, node.end_lineno or node.lineno


Exchange = tuple[str, str]
"""A text as it is, and what a fault writes instead."""


def exchange(path: Path, exchanges: Sequence[Exchange]) -> None:
    """Write the second text of each pair in place of the first; where that has happened, nothing is left to do.

    Raises:
        EditError: neither text is there.
    """
    content = b"".join(read_lines(path))
    for before, after in exchanges:
        if after.encode() in content:
            continue
        if content.count(before.encode()) != 1:
            raise EditError(f"{path} does not hold {before.strip()!r} once: make the sandbox anew")
        content = content.replace(before.encode(), after.encode())
    write_lines(path, [content])


def take_back(path: Path, exchanges: Sequence[Exchange]) -> None:
    """Write the first text of each pair in place of the second; what somebody has changed since stays."""
    content = b"".join(read_lines(path))
    for before, after in exchanges:
        content = content.replace(after.encode(), before.encode())
    write_lines(path, [content])
