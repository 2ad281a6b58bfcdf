"""How a check gets a fact that nobody collects yet: a collector, run over each candidate file in the one pass.

A collector sees one parsed file and returns plain, picklable facts. It runs in the reader's process, which has the
standard library and this package and nothing else, and its facts are kept by the file's content: it must depend on
nothing but what it is given.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from doctor.source.expressions import FunctionNode, dotted, is_main_block
from doctor.source.facts import MAIN_BLOCK, MODULE_LEVEL
from doctor.source.walk import inside, walk


@dataclass(frozen=True, slots=True)
class Collector:
    """One kind of fact. ``literals``: a file that holds none of them is not looked at (empty: every parsed file is).

    ``looks``: a file with a literal must pass this test of its bytes too; parsing costs a hundred times what both do.
    ``asked_by``: it runs only where the collectors of these names have found something that its facts may explain.
    ``version`` is raised when the same file would give other facts; kept ones are then collected anew. ``for_graph``:
    only the task graph asks for it, and wants to know from where the ``function`` of each fact is reached.
    ``followed``: the files are read, too, in which somebody may wait for that ``function``. ``linked``: it runs over
    the files that the task graph is made of, and no others. ``within``: its facts depend on nothing but the imports and
    the top-level statements at the offsets that this gives, so that of a large tree no more is parsed for it (None: all
    of this file).
    """

    name: str
    version: int
    literals: tuple[bytes, ...]
    collect: Callable[[Module], Iterable[Any]]
    for_graph: bool = False
    looks: Callable[[bytes], bool] | None = None
    asked_by: tuple[str, ...] = ()
    followed: bool = False
    linked: bool = False
    within: Callable[[bytes], Iterable[int] | None] | None = None


CollectedFrom: TypeAlias = Callable[[str, Collector], tuple[Any, ...]]
"""Gives what a collector has found in the file of a path."""


class Module:
    """One parsed file, as a collector sees it. ``name`` is its dotted name, ``path`` relative to the root."""

    def __init__(self, path: str, name: str, tree: ast.Module, lines: list[str]) -> None:
        self.path = path
        self.name = name
        self.tree = tree
        self.lines = lines

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        return tuple(walk(self.tree))

    @cached_property
    def functions(self) -> tuple[tuple[str, FunctionNode], ...]:
        """Every function with its qualified name, outer ones first."""
        return tuple(_functions(self.tree, ""))

    @cached_property
    def origins(self) -> dict[str, str]:
        """Imported name → where it comes from (``snapshot_download`` → ``huggingface_hub.snapshot_download``).

        Imports anywhere in the file count; relative ones keep their dots.
        """
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    found.setdefault(alias.asname or top, alias.name if alias.asname else top)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    module = "." * node.level + (node.module or "")
                    separator = "" if module.endswith(".") else "."
                    found.setdefault(alias.asname or alias.name, f"{module}{separator}{alias.name}")
        return found

    def origin(self, node: ast.expr) -> str:
        """Return a dotted name with its first part replaced by where that comes from; ``?`` for other expressions."""
        first, dot, rest = dotted(node).partition(".")
        return f"{self.origins.get(first, first)}{dot}{rest}"

    @cached_property
    def function_names(self) -> frozenset[str]:
        """The qualified names of all functions."""
        return frozenset(name for name, _ in self.functions)

    @cached_property
    def short_names(self) -> frozenset[str]:
        """The names of all functions and of their classes, without what is around them."""
        names = {name for full, _ in self.functions for name in full.rpartition(".<locals>.")[2].split(".")}
        return frozenset(names)

    def absolute(self, origin: str) -> str:
        """Return a name with the leading dots of a relative import resolved."""
        level = len(origin) - len(origin.lstrip("."))
        if not level:
            return origin
        package = self.name.split(".")
        kept = package[: len(package) - level + (1 if self.path.endswith("__init__.py") else 0)]
        return ".".join([*kept, origin.lstrip(".")])

    def identity(self, callee: ast.expr, scope: str) -> str:
        """Return ``module.qualname`` of what a name means in the function ``scope``, without looking into other files.

        ``.name`` for a method of some object, an empty string for a builtin, ``?`` for what nobody knows.
        """
        name = dotted(callee)
        owner, _, last = name.rpartition(".")
        if owner in ("self", "cls"):
            around = scope.partition(".<locals>.")[0].rpartition(".")[0]
            return f"{self.name}.{around}.{last}"
        if owner:
            known = owner.partition(".")[0] in self.origins
            return self.absolute(self.origin(callee)) if known else f".{last}"
        for prefix in _prefixes(scope):
            if f"{prefix}{name}" in self.function_names:
                return f"{self.name}.{prefix}{name}"
        if name in self.origins:
            return self.absolute(self.origin(callee))
        return "" if hasattr(builtins, name) else "?"

    def line(self, number: int) -> str:
        """Return one line of the file, counted from 1, without the space around it."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def enclosing(self, line: int) -> str:
        """Return the qualified name of the innermost function around a line, or ``<module>``."""
        around = [
            (name, node) for name, node in self.functions if node.lineno <= line <= (node.end_lineno or node.lineno)
        ]
        return around[-1][0] if around else MODULE_LEVEL

    def running(self, line: int) -> str:
        """Return the function in which a line runs, ``<main>`` under ``if __name__ == "__main__"``, or ``<module>``."""
        function = self.enclosing(line)
        return MAIN_BLOCK if function == MODULE_LEVEL and line in self.main_block else function

    @cached_property
    def main_block(self) -> range:
        """The lines under ``if __name__ == "__main__"``."""
        return _main_block(self.tree)


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
"""Where statements hold statements, in the order of the source."""


def _main_block(tree: ast.Module) -> range:
    found = next((one for one in tree.body if is_main_block(one)), None)
    return range(0) if found is None else range(found.lineno, (found.end_lineno or found.lineno) + 1)


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body in the order of the source, without those of functions and classes in it."""
    return inside(function, _SCOPES)


def _prefixes(scope: str) -> Iterator[str]:
    """Yield the prefixes under which a plain name is looked for: the functions around, then the module."""
    while scope != MODULE_LEVEL and scope:
        yield f"{scope}.<locals>."
        scope = scope.rpartition(".<locals>.")[0]
    yield ""


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, FunctionNode]]:
    """Look at statements only: no definition stands in an expression."""
    for block in _BLOCKS:
        for child in node.__dict__.get(block, ()):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{prefix}{child.name}", child
                yield from _functions(child, f"{prefix}{child.name}.<locals>.")
            elif isinstance(child, ast.ClassDef):
                yield from _functions(child, f"{prefix}{child.name}.")
            else:
                yield from _functions(child, prefix)
