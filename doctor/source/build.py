"""The pass over a tree: look for literals in the bytes, parse the candidates, follow names into other files, link.

Every file that is not a candidate is still parsed once, for nothing but its syntax, up to a budget of bytes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from doctor.source.collect import collect
from doctor.source.collector import Module
from doctor.source.collectors import collectors
from doctor.source.discover import python_files
from doctor.source.facts import Facts, ImportSite, Unparsable, UnparsableKind
from doctor.source.libraries import LITERALS, LITERALS_WITH
from doctor.source.link import Linker
from doctor.source.module_facts import ModuleFacts, RawImport
from doctor.source.module_names import ModuleNames
from doctor.source.newer import NewerSyntax
from doctor.source.parse import conflict_line, lines_of, parse, read
from doctor.source.resolve import Resolver
from doctor.source.tables import Tables

SYNTAX_BUDGET = 8_000_000
"""Bytes of other files that are parsed only to know that they parse: about half a second."""


CALL_STEPS = 3
"""How many calls above an enqueue the files that use a function are looked for."""


def build_facts(root: Path, *, syntax_budget: int = SYNTAX_BUDGET, for_graph: bool = False) -> Facts:
    """Read the Python source under ``root``, with ``for_graph`` also what only the task graph needs.

    Raises nothing for what a file holds.
    """
    reading = _Build(root, syntax_budget, for_graph=for_graph)
    try:
        return reading.facts()
    finally:
        reading.newer.close()


@dataclass(slots=True)
class _Glance:
    """What the bytes of a file say before it is parsed."""

    size: int
    has_literal: bool
    libraries: tuple[bytes, ...]
    with_library: tuple[bytes, ...]
    has_conflict: bool


class _Build:
    def __init__(self, root: Path, syntax_budget: int, *, for_graph: bool) -> None:
        self.collectors = tuple(one for one in collectors() if for_graph or not one.for_graph)
        self.root = root
        self.budget = syntax_budget
        self.files = python_files(root)
        self.names = ModuleNames(root, self.files)
        self.loaded: dict[str, ModuleFacts | None] = {}
        self.unparsable: dict[str, Unparsable] = {}
        self.newer = NewerSyntax()
        self.unchecked = 0

    def facts(self) -> Facts:
        """Run the pass."""
        glances = {path: glance for path in self.files if (glance := self._glance(path)) is not None}
        libraries = {library for glance in glances.values() for library in glance.libraries}
        searched = {
            path
            for path, glance in glances.items()
            if glance.has_literal or libraries.intersection(glance.with_library)
        }
        resolver = Resolver(self.names, self.load)
        linker = Linker(resolver, self._modules(searched))
        known: frozenset[tuple[str, str]] = frozenset()
        for _ in range(CALL_STEPS):
            names = linker.names_elsewhere(self._asked_about())
            more = self._files_that_use(names - known) - searched
            known |= names
            if not more:
                break
            searched |= more
            linker = Linker(resolver, self._modules(searched))
        self._check_syntax(glances)
        return Facts(
            root=str(self.root),
            files=tuple(self.files),
            functions=linker.functions,
            enqueues=linker.enqueues(),
            non_tasks=linker.non_tasks(),
            routes=linker.routes(),
            handed_over=linker.handed_over(),
            table_writes=tuple(Tables(self.root, resolver, linker.modules).writes()),
            unparsable=self._unparsable(),
            searched=len(searched),
            unchecked=self.unchecked,
            collected=self._by_collector(),
            reached_from=linker.reached_from(self._asked_about()),
        )

    def _asked_about(self) -> set[tuple[str, str]]:
        """Return the functions whose callers the task graph wants to know."""
        names = {one.name for one in self.collectors if one.for_graph}
        return {
            (path, fact.function)
            for path, facts in self.loaded.items()
            for name, fact in (facts.collected if facts is not None else ())
            if name in names
        }

    def _by_collector(self) -> dict[str, tuple[object, ...]]:
        found: dict[str, list[object]] = {}
        for _, facts in sorted(self.loaded.items()):
            for name, fact in facts.collected if facts is not None else ():
                found.setdefault(name, []).append(fact)
        return {name: tuple(facts) for name, facts in found.items()}

    def load(self, path: str) -> ModuleFacts | None:
        """Return the facts of one file, or None when it cannot be parsed; read at most once."""
        if path not in self.loaded:
            self.loaded[path] = None  # ends a circle of demands
            self.loaded[path] = self._parsed(path, lambda tree, content: self._collected(tree, path, content))
        return self.loaded[path]

    def _collected(self, tree: ast.Module, path: str, content: bytes) -> ModuleFacts:
        lines = lines_of(content)
        facts = collect(tree, path, lines)
        module = Module(path, self.names.name_of(path), tree, lines)
        more = [(one.name, fact) for one in self.collectors if one.wants(content) for fact in one.collect(module)]
        return replace(facts, collected=tuple(more)) if more else facts

    def _parsed(self, path: str, use: Callable[..., ModuleFacts | None]) -> ModuleFacts | None:
        content = self._read(path)
        if content is None:
            return None
        tree = parse(content, path, self.names.name_of(path))
        if isinstance(tree, Unparsable) and tree.kind is UnparsableKind.SYNTAX and not tree.has_conflict_markers:
            older = self.newer.older(content)
            tree = tree if older is None else parse(older, path, tree.module)
        if isinstance(tree, Unparsable):
            self.unparsable[path] = tree
            return None
        try:
            return use(tree, content)
        except RecursionError as error:
            self._failed(path, UnparsableKind.TOO_DEEP, str(error))
            return None

    def _read(self, path: str) -> bytes | None:
        content = read(self.root, path)
        if isinstance(content, bytes):
            return content
        self._failed(path, *content)
        return None

    def _failed(self, path: str, kind: UnparsableKind, message: str) -> None:
        self.unparsable[path] = Unparsable(path, self.names.name_of(path), kind, message)

    def _glance(self, path: str) -> _Glance | None:
        content = self._read(path)
        if content is None:
            self.loaded[path] = None
            return None
        return _Glance(
            size=len(content),
            has_literal=any(literal in content for literal in LITERALS)
            or any(one.literals and one.wants(content) for one in self.collectors),
            libraries=tuple(library for library in LITERALS_WITH if library in content),
            with_library=tuple(key for key, words in LITERALS_WITH.items() if any(word in content for word in words)),
            has_conflict=conflict_line(content) is not None,
        )

    def _files_that_use(self, definitions: Iterable[tuple[str, str]]) -> set[str]:
        """Return the files that may use these functions (path, name): they hold the name and that of its module."""
        words: dict[bytes, set[bytes]] = {}
        for path, name in definitions:
            parts = {part.encode("utf-8", "surrogateescape") for part in _last_parts(path)}
            words.setdefault(name.encode("utf-8", "surrogateescape"), set()).update(parts)
        found = set()
        for path in self.files if words else ():
            content = read(self.root, path)
            if isinstance(content, bytes) and any(
                name in content and any(module in content for module in modules) for name, modules in words.items()
            ):
                found.add(path)
        return found

    def _check_syntax(self, glances: dict[str, _Glance]) -> None:
        for path, glance in glances.items():
            if path in self.loaded:
                continue
            if glance.size > self.budget and not glance.has_conflict:
                self.unchecked += 1
                continue
            self.budget -= glance.size
            self._parsed(path, lambda *_: None)

    def _modules(self, paths: Iterable[str]) -> dict[str, ModuleFacts]:
        return {path: facts for path in sorted(paths) if (facts := self.load(path)) is not None}

    def _unparsable(self) -> tuple[Unparsable, ...]:
        return tuple(self._with_importers(self.unparsable[path]) for path in sorted(self.unparsable))

    def _with_importers(self, unparsable: Unparsable) -> Unparsable:
        """Add the places that import a file which does not parse."""
        name = unparsable.module.rpartition(".")[2]
        users = self._modules(self._files_that_use([(unparsable.path, name)]))
        sites = tuple(
            ImportSite(path, statement.line, statement.text)
            for path, module in users.items()
            for statement in module.imports
            if unparsable.path in _imported_files(statement, path, self.names)
        )
        return replace(unparsable, imported_by=sites)


def _last_parts(path: str) -> list[str]:
    """Return the names of a file's module and of the package around it: an import mentions one of them."""
    parts = path.removesuffix(".py").split("/")
    return [part for part in parts[-2:] if part != "__init__"] or [parts[0]]


def _imported_files(statement: RawImport, path: str, names: ModuleNames) -> set[str | None]:
    if statement.level:
        package = names.find_relative(statement.module, statement.level, path)
        prefix = f"{statement.module}." if statement.module else ""
        inside = [names.find_relative(f"{prefix}{name}", statement.level, path) for name in statement.names]
    else:
        package = names.find(statement.module, path)
        inside = [names.find(f"{statement.module}.{name}", path) for name in statement.names]
    return {package, *inside}
