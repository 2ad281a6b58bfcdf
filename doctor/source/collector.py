"""How a check gets a fact that nobody collects yet: a collector, run over each candidate file in the one pass.

A collector sees one parsed file and returns plain, picklable facts. It runs in the reader's process, which has the
standard library and this package and nothing else, and its facts are kept by the file's content: it must depend on
nothing but what it is given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from doctor.source.expressions import FunctionNode, dotted
from doctor.source.facts import MODULE_LEVEL
from doctor.source.walk import children, walk


@dataclass(frozen=True, slots=True)
class Collector:
    """One kind of fact. ``literals``: a file that holds none of them is not looked at (empty: every parsed file is).

    ``pattern``: a file with a literal must hold a match of this too; parsing costs a hundred times what both do.
    ``asked_by``: it runs only where the collectors of these names have found something that its facts may explain.
    ``version`` is raised when the same file would give other facts; kept ones are then collected anew. ``for_graph``:
    only the task graph asks for it, and wants to know from where the ``function`` of each fact is reached.
    """

    name: str
    version: int
    literals: tuple[bytes, ...]
    collect: Callable[[Module], Iterable[Any]]
    for_graph: bool = False
    pattern: re.Pattern[bytes] | None = None
    asked_by: tuple[str, ...] = ()

    def wants(self, content: bytes) -> bool:
        """Whether the bytes of a file hold what it looks for."""
        if self.literals and not any(literal in content for literal in self.literals):
            return False
        return self.pattern is None or self.pattern.search(content) is not None


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

    def line(self, number: int) -> str:
        """Return one line of the file, counted from 1, without the space around it."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def enclosing(self, line: int) -> str:
        """Return the qualified name of the innermost function around a line, or ``<module>``."""
        around = [
            (name, node) for name, node in self.functions if node.lineno <= line <= (node.end_lineno or node.lineno)
        ]
        return around[-1][0] if around else MODULE_LEVEL


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body in the order of the source, without those of functions and classes in it."""
    for child in children(function):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield from own_nodes(child)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, FunctionNode]]:
    for child in children(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):  # no definition stands in an expression
            yield from _functions(child, prefix)
