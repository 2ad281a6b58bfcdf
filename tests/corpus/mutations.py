"""Breaks code as people break it: one small edit of a file that was right, and what must be found afterwards.

Which edit breaks which library was measured: a wrapper above the registrar of TaskIQ, Celery or Dramatiq has none of
the task's methods, whether it uses ``functools.wraps`` or not; a function without a registrar never had any.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tests.corpus.registrations import Reading, Registration, dotted


class Kind(StrEnum):
    """What is done to the code."""

    SWAPPED = "registrar and the wrapper below it swapped"
    ABOVE = "a wrapper put above the registrar"
    MOVED = "registrar moved to a helper"
    LOST = "registrar lost"
    UNAWAITED = "await stripped from .kiq"
    SWALLOWED = "enqueue in a broad except that logs"
    UNVERIFIED = "signature of a token no longer checked"
    MIXED = "a shared secret's algorithm put beside those of public keys"
    TURNED = "the nearest ordered the wrong way round"
    PRINTF = "loguru given %s and arguments"


REGISTRATION_KINDS = (Kind.SWAPPED, Kind.ABOVE, Kind.MOVED, Kind.LOST)

CODES = {
    Kind.SWAPPED: "TSK001",
    Kind.ABOVE: "TSK001",
    Kind.MOVED: "TSK003",
    Kind.LOST: "TSK003",
    Kind.UNAWAITED: "TSK008",
    Kind.SWALLOWED: "TSK002",
    Kind.UNVERIFIED: "AUT001",
    Kind.MIXED: "AUT013",
    Kind.TURNED: "VEC007",
    Kind.PRINTF: "LOG001",
}
"""The check that must find it."""

PLACED = frozenset({Kind.PRINTF, Kind.TURNED})
"""Breaks that are found by file and line, not by a function."""


@dataclass(frozen=True, slots=True)
class Edit:
    """The lines from ``first`` up to but without ``end`` (from 1) become ``lines``; equal numbers insert."""

    first: int
    end: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One break of one file. ``function`` is where it must be found: its own name, or a place for :data:`PLACED`."""

    kind: Kind
    path: str
    function: str
    edits: tuple[Edit, ...]
    how: str = ""


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with edits that do not overlap."""
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, key=lambda one: (one.first, one.end), reverse=True):
        lines[edit.first - 1 : edit.end - 1] = [f"{line}\n" for line in edit.lines]
    return "".join(lines)


# Registrations

_WRAPPER = """
import functools as _functools
def {name}(function):
    @_functools.wraps(function)
    def run(*args, **kwargs):
        return function(*args, **kwargs)
    return run
"""
_FACTORY = """
import functools as _functools
def {name}(attempts=3):
    def decorate(function):
        @_functools.wraps(function)
        def run(*args, **kwargs):
            for _ in range(attempts):
                return function(*args, **kwargs)
        return run
    return decorate
"""
_BARE = """
def {name}(function):
    def run(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        finally:
            print("done")
    return run
"""
_TENACITY = "\nfrom tenacity import retry as {name}, stop_after_attempt as {name}_stop\n"
_CACHE = "\nimport functools as {name}\n"

WRAPPERS = {
    "a wrapper of one's own": (_WRAPPER, "@{name}"),
    "a factory of wrappers": (_FACTORY, "@{name}(attempts=5)"),
    "a wrapper without functools.wraps": (_BARE, "@{name}"),
    "tenacity.retry": (_TENACITY, "@{name}(stop={name}_stop(3))"),
    "functools.lru_cache": (_CACHE, "@{name}.lru_cache(maxsize=None)"),
}
"""What is put above the registrar: its definition, and how it is used."""


def wrapper_above(reading: Reading, one: Registration, way: str) -> Mutation:
    """Put a decorator that replaces its argument directly above the registrar."""
    definition, use = WRAPPERS[way]
    name = f"_wrapped_{one.line}"
    after = after_imports(reading.trees[one.path], one.line)
    above = one.decorators[one.registrar][0]
    edits = (
        Edit(after, after, tuple(definition.format(name=name).splitlines())),
        Edit(above, above, (use.format(name=name),)),
    )
    return Mutation(Kind.ABOVE, one.path, one.name, edits, way)


def swapped(reading: Reading, one: Registration, text: str) -> Mutation | None:
    """Swap the registrar with the decorator below it, where the package defines that one as a wrapper."""
    if one.registrar + 1 >= len(one.decorators):
        return None
    (first, last, _), (below, end, name) = one.decorators[one.registrar : one.registrar + 2]
    if not _is_wrapper(name.rpartition(".")[2], reading):
        return None
    lines = text.splitlines()
    edit = Edit(first, end + 1, (*lines[below - 1 : end], *lines[last : below - 1], *lines[first - 1 : last]))
    return Mutation(Kind.SWAPPED, one.path, one.name, (edit,), name)


def registrar_moved(one: Registration) -> Mutation:
    """Write a helper between the decorators and their task, as an editor does who looks at the blank line only."""
    helper = (f"def _prepared_{one.line}(*args, **kwargs):", "    return args, kwargs", "", "")
    return Mutation(Kind.MOVED, one.path, one.name, (Edit(one.line, one.line, helper),))


def registrar_lost(one: Registration) -> Mutation:
    """Delete the decorators of a task."""
    edits = tuple(Edit(first, last + 1, ("",) * (last + 1 - first)) for first, last, _ in one.decorators)
    return Mutation(Kind.LOST, one.path, one.name, edits)


def after_imports(tree: ast.Module, before: int) -> int:
    """Return the line below the last import at the top level that stands above a line."""
    ends = [
        node.end_lineno or node.lineno
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom)) and (node.end_lineno or node.lineno) < before
    ]
    return max(ends, default=0) + 1


def _is_wrapper(name: str, reading: Reading) -> bool:
    """Whether every function of this name in the package returns a nested one that has ``wraps`` as its decorator."""
    files = reading.package.folder.rglob("*.py")
    trees = [ast.parse(content) for file in files if f"def {name}(".encode() in (content := file.read_bytes())]
    found = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return bool(found) and all(_returns_wrapper(node) for node in found)


def _returns_wrapper(function: ast.FunctionDef) -> bool:
    inner = [node for node in function.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    returned = [node.value.id for node in function.body if _returns_a_name(node)]  # type: ignore[attr-defined]
    return any(
        node.name in returned
        and [dotted(one).rpartition(".")[2] for one in node.decorator_list] == ["wraps"]
        and not any(isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) for one in ast.walk(function))
        for node in inner
    )


def _returns_a_name(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Name)
