"""Finds task registrations by a plain reading of their own, which shares no code with the doctor's.

A sample drawn from what the doctor has read would leave out exactly what it overlooks.
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.corpus.sources import Package

LIBRARIES = frozenset({"celery", "dramatiq", "taskiq"})
"""The queues for which the order of decorators decides; RQ keeps its method, Huey enqueues by a plain call."""

VERBS = frozenset({"delay", "apply_async", "delay_on_commit", "kiq", "send", "send_with_options"})

_WORDS = (
    *(b".task", b".periodic_task", b"shared_task", b"dramatiq", b"from celery", b"import celery"),
    *(b".delay", b".apply_async", b".kiq(", b"jwt.decode(", b"from loguru import", b"<=>"),
)
"""A file without any of these has nothing that is read here or broken."""

_METHODS = frozenset({"task", "periodic_task"})
_FUNCTIONS = frozenset({"shared_task", "actor"})


@dataclass(frozen=True, slots=True)
class Registration:
    """A module's function with a registrar. Lines count from 1; ``decorators`` are (first line, last line, name)."""

    path: str
    name: str
    line: int
    decorators: tuple[tuple[int, int, str], ...]
    registrar: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The files of a package that may hold any of this, and the registrations and enqueues in them."""

    package: Package
    trees: dict[str, ast.Module]
    registrations: tuple[Registration, ...]
    enqueued: Counter[str] = field(default_factory=Counter)
    """How often a verb of tasks is called on a name that ends in this."""

    def is_enqueued(self, registration: Registration) -> bool:
        """Whether the package enqueues the task: by a name that only one registration has."""
        same = sum(other.name == registration.name for other in self.registrations)
        return same == 1 and self.enqueued[registration.name] > 0


def read(package: Package) -> Reading:
    """Read a package; what does not parse is left out."""
    trees = dict(_trees(package))
    uses_queue = any(_imports_queue(tree) for tree in trees.values())
    found = [one for path, tree in trees.items() for one in _registrations(path, tree)] if uses_queue else []
    enqueued = Counter(name for tree in trees.values() for name in _enqueued(tree))
    return Reading(package, trees, tuple(found), enqueued)


def dotted(node: ast.expr) -> str:
    """Return a name as written, without the arguments of a call; empty for any other expression."""
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return node.id if isinstance(node, ast.Name) else ""


def _trees(package: Package) -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(package.folder.rglob("*.py")):
        content = file.read_bytes()
        if not any(word in content for word in _WORDS):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                tree = ast.parse(content)
            except (SyntaxError, ValueError):
                continue
        yield file.relative_to(package.folder).as_posix(), tree


def _imports_queue(tree: ast.Module) -> bool:
    """Whether a file imports one of the queues."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        if any(name.partition(".")[0] in LIBRARIES for name in names):
            return True
    return False


def _registrations(path: str, tree: ast.Module) -> Iterator[Registration]:
    last = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    for node in last.values():
        names = [dotted(decorator) for decorator in node.decorator_list]
        registrar = next((index for index, name in enumerate(names) if _is_registrar(name)), None)
        if registrar is not None:
            lines = [(one.lineno, one.end_lineno or one.lineno) for one in node.decorator_list]
            decorators = tuple((*place, name) for place, name in zip(lines, names, strict=True))
            yield Registration(path, node.name, node.lineno, decorators, registrar)


def _is_registrar(name: str) -> bool:
    owner, _, last = name.rpartition(".")
    return last in _FUNCTIONS or (bool(owner) and last in _METHODS)


def _enqueued(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
            target = node.func.value
            name = dotted(target) if not isinstance(target, ast.Call) else ""
            if name:
                yield name.rpartition(".")[2]
