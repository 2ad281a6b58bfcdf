"""The pass over a tree: look for literals in the bytes, parse the candidates, follow names into other files, link.

Every file that is not a candidate is still parsed once, for nothing but its syntax; of a large tree, only the files
that were changed last.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from doctor.source.collector import Collector
from doctor.source.collectors import collectors
from doctor.source.collectors.named_tasks import COLLECTOR as NAMED
from doctor.source.crew import Crew
from doctor.source.discover import Stamp, stamped_files
from doctor.source.facts import Facts, ImportSite, Unparsable, UnregisteredName
from doctor.source.glance import Glance, Place
from doctor.source.kept import KeptFile, unpickled
from doctor.source.link import Linker
from doctor.source.module_facts import ModuleFacts, RawImport
from doctor.source.module_names import ModuleNames
from doctor.source.phases import Phases
from doctor.source.reader import FileFacts, Need, Reader, Seen
from doctor.source.resolve import Resolver
from doctor.source.tables import Tables
from doctor.source.unsent import QUOTES

SYNTAX_BUDGET = 8_000_000
"""Bytes of a tree up to which every file is parsed, if only to know that it parses."""

LATEST = 8
"""Of a larger tree, this part of the budget goes to the files that were changed last: there an error is new."""

CALL_STEPS = 3
"""How many calls above an enqueue the files that use a function are looked for."""


def build_facts(root: Path, *, syntax_budget: int = SYNTAX_BUDGET, for_graph: bool = False) -> Facts:
    """Read the Python source under ``root``, with ``for_graph`` also what only the task graph needs.

    Raises nothing for what a file holds.
    """
    build = Build(root, stamped_files(root), syntax_budget=syntax_budget, for_graph=for_graph)
    try:
        return build.facts()
    finally:
        build.close()


class Build:
    """One pass. ``stamps`` are the files to read; ``known`` is what an earlier run has kept of some of them (None:
    nothing is kept of this one either)."""

    def __init__(
        self,
        root: Path,
        stamps: Mapping[str, Stamp],
        *,
        known: Mapping[str, KeptFile] | None = None,
        syntax_budget: int = SYNTAX_BUDGET,
        for_graph: bool = False,
        processes: int = 1,
        phases: Phases | None = None,
    ) -> None:
        self.collectors = tuple(one for one in collectors() if for_graph or not one.for_graph)
        self.root = root
        self.budget = syntax_budget
        self.stamps = stamps
        self.names = ModuleNames(root, stamps)
        self.known = known or {}
        self.files: dict[str, KeptFile] = {}
        """What is known of each file that could be read."""
        self.read: dict[str, FileFacts] = {}
        self.searched: set[str] = set()
        """Files of which this pass asks for facts; of others an earlier run may have kept some."""
        self.asked = {one.name for one in self.collectors if not one.asked_by}
        """Collectors whose facts somebody wants."""
        self.whole: set[str] = set()
        """Files of which it is asked, too, whether they parse."""
        self.unchecked = 0
        self.phases = phases or Phases()
        reader = Reader(root, self.names, self.collectors, hashes=known is not None)
        self.crew = Crew(reader, {path: stamp.size for path, stamp in stamps.items()}, processes=processes)

    def close(self) -> None:
        """End the processes that help."""
        self.crew.close()

    def look(self) -> None:
        """Read what has changed, and look for literals in its bytes."""
        changed = [path for path, stamp in self.stamps.items() if not self._is_known(path, stamp)]
        with self.phases.measure("reading and pre-filter"):
            seen = self.crew.glance(changed)
        for path in self.stamps:
            found = seen.get(path)
            if isinstance(found, Unparsable):
                self.read[path] = FileFacts(unparsable=found)
            else:
                self.files[path] = self.known[path] if found is None else self._kept(path, found)

    def _is_known(self, path: str, stamp: Stamp) -> bool:
        kept = self.known.get(path)
        return kept is not None and kept.stamp == stamp and kept.module == self.names.name_of(path)

    def _kept(self, path: str, seen: Seen) -> KeptFile:
        kept = self.known.get(path)
        facts = kept.facts if kept is not None and kept.digest == seen.digest else None
        return KeptFile(seen.digest, self.names.name_of(path), seen.stamp, seen.glance, facts)

    def facts(self) -> Facts:
        """Run the pass."""
        if not self.files:
            self.look()
        tasks = self._with_tasks()
        self.whole = self._whole()
        with self.phases.measure("parsing and collecting"):
            self._read_candidates(tasks)
            self.asked |= {one.name for one in self.collectors if self._is_found(one.asked_by)}
            self._read_candidates(tasks)
        with self.phases.measure("linking"):
            linker = self._linked(tasks | self._with_followed())
        with self.phases.measure("syntax of other files"):
            self._check_syntax()
        with self.phases.measure("linking"):
            return self._facts(linker)

    def _read_candidates(self, tasks: set[str]) -> None:
        wanted = {path for path in self.files if self._wanted(path)}
        self._read({path: self._need(path, module=path in tasks) for path in sorted(tasks | wanted)})

    def _is_found(self, names: Iterable[str]) -> bool:
        """Whether any of these collectors has found anything."""
        return any(facts.collected.get(name) for facts in self.read.values() if facts.collected for name in names)

    def _facts(self, linker: Linker) -> Facts:
        return Facts(
            root=str(self.root),
            files=tuple(self.stamps),
            functions=linker.functions,
            enqueues=linker.enqueues(),
            non_tasks=linker.non_tasks(),
            unregistered=self._unregistered(linker),
            routes=linker.routes(),
            examples=linker.examples(),
            spoken_of=linker.spoken_of(),
            attached=linker.attached(),
            handed_over=linker.handed_over(),
            table_writes=tuple(Tables(self.root, linker.resolver, linker.modules, self.collected).writes()),
            unparsable=self._unparsable(),
            searched=sum(self.read[path].is_searched for path in self.searched),
            unchecked=self.unchecked,
            collected=self._by_collector(),
            reached_from=linker.reached_from(self._asked_about()),
        )

    def _with_tasks(self) -> set[str]:
        """Return the files that register or enqueue tasks, and those of which the task graph wants to know."""
        imported = {library for file in self.files.values() for library in file.glance.imports}
        for_graph = {one.name for one in self.collectors if one.for_graph}

        def matters(glance: Glance) -> bool:
            return glance.has_task or not (
                imported.isdisjoint(glance.with_library) and for_graph.isdisjoint(glance.wanted)
            )

        return {path for path, file in self.files.items() if matters(file.glance)}

    def _with_followed(self) -> set[str]:
        """Return the files with facts of which somebody asks who waits for them."""
        names = {one.name for one in self.collectors if one.followed}
        found = {path: facts.collected for path, facts in self.read.items() if facts.collected}
        return {path for path, collected in found.items() if any(collected.get(name) for name in names)}

    def _linked(self, tasks: set[str]) -> Linker:
        """Link the files with tasks, and those that use what leads to a task, some calls upwards."""
        resolver = Resolver(self.names, self.load)
        linker = Linker(resolver, self._modules(tasks), self.collected)
        searched = set(tasks)
        known: frozenset[tuple[str, str]] = frozenset()
        for _ in range(CALL_STEPS):
            names = linker.names_elsewhere(self._asked_about())
            more = self._files_that_use(names - known, self.files.keys() - searched)
            known |= names
            if not more:
                break
            searched |= more
            linker = Linker(resolver, self._modules(searched), self.collected)
        return linker

    def _asked_about(self) -> set[tuple[str, str]]:
        """Return the functions whose callers the task graph wants to know."""
        names = {one.name for one in self.collectors if one.for_graph}
        return {
            (path, fact.function)
            for path, facts in self.read.items()
            for name in names
            for fact in (facts.collected or {}).get(name, ())
        }

    def _by_collector(self) -> dict[str, tuple[object, ...]]:
        found: dict[str, list[object]] = {}
        linked = {one.name for one in self.collectors if one.linked}  # of these the linker tells what it makes of them
        for _, facts in sorted(self.read.items()):
            for name, some in (facts.collected or {}).items():
                if name not in linked:
                    found.setdefault(name, []).extend(some)
        return {name: tuple(found[name]) for name in sorted(found) if found[name]}

    def load(self, path: str) -> ModuleFacts | None:
        """Return the facts of one file, or None when it cannot be parsed; read at most once."""
        self.searched.add(path)
        if path not in self.read or not self.read[path].answers(self._need(path)):
            self._read({path: self._need(path)})
        return self.read[path].module

    def collected(self, path: str, collector: Collector) -> tuple[Any, ...]:
        """Return what a collector has found in one file."""
        self.load(path)
        return (self.read[path].collected or {}).get(collector.name, ())

    def _modules(self, paths: Iterable[str]) -> dict[str, ModuleFacts]:
        ordered = sorted(paths)
        self._read({path: self._need(path) for path in ordered})
        return {path: facts for path in ordered if (facts := self.load(path)) is not None}

    def _need(self, path: str, *, module: bool = True) -> Need:
        return Need(module, self._wanted(path), module or path in self.whole)

    def _wanted(self, path: str) -> tuple[str, ...]:
        """Return the collectors that look at a file, as far as they are asked."""
        wanted: tuple[str, ...] = self.files[path].glance.wanted if path in self.files else ()
        return tuple(name for name in wanted if name in self.asked)

    def _read(self, needs: Mapping[str, Need]) -> None:
        """Have these facts at hand, kept ones or new ones."""
        self.searched.update(path for path, need in needs.items() if need != Need())
        missing = {}
        for path, need in needs.items():
            facts = self.read.get(path) or self._kept_facts(path)
            if facts is None or not facts.answers(need):
                missing[path] = need
            else:
                self.read[path] = facts
        if missing:
            new = self.crew.facts(missing)
            self.read.update(new)
            for path, facts in new.items():
                if path in self.files and facts.is_certain:
                    self.files[path] = replace(self.files[path], facts=pickled(facts))

    def _kept_facts(self, path: str) -> FileFacts | None:
        kept = self.files[path].facts if path in self.files else None
        if not kept:
            return None if kept is None else FileFacts()
        found = unpickled(kept)
        return found if isinstance(found, FileFacts) else None

    def _files_that_use(self, definitions: Iterable[tuple[str, str]], among: Iterable[str]) -> set[str]:
        """Return the files that may use these functions (path, name)."""
        functions = [(_bytes(name), Place.of(path)) for path, name in sorted(definitions)]
        return self.crew.using(sorted(among), functions) if functions else set()

    def _whole(self) -> set[str]:
        """Return all files of a small tree; of a larger one those that were changed last, or have conflict markers."""
        if sum(self.stamps[path].size for path in self.files) <= self.budget:
            return set(self.files)
        latest = self._latest(self.files)
        return {path for path, file in self.files.items() if path in latest or file.glance.has_conflict}

    def _check_syntax(self) -> None:
        """Parse those of the other files that have to parse, and those of which an earlier run knows that."""
        others = [path for path in self.files if path not in self.read]
        chosen = [path for path in others if path in self.whole or self.files[path].facts is not None]
        excerpts = sum(not facts.is_whole for facts in self.read.values())
        self.unchecked = len(others) - len(chosen) + excerpts
        self._read({path: Need() for path in chosen})

    def _latest(self, paths: Iterable[str]) -> set[str]:
        """Return the files that were changed last, as many as a part of the budget allows."""
        found, left = set(), self.budget // LATEST
        for path in sorted(paths, key=lambda path: (-self.stamps[path].modified, path)):
            if (size := self.stamps[path].size) <= left:
                left -= size
                found.add(path)
        return found

    def _unregistered(self, linker: Linker) -> tuple[UnregisteredName, ...]:
        """Return the names of tasks that nobody registers, nor any file speaks of but those that send them."""
        sites = [one for path in sorted(self.read) for one in (self.read[path].collected or {}).get(NAMED.name, ())]
        found = linker.unregistered(sites) if sites else []
        texts = {one.name: [(one.path, f"{quote}{one.name}{quote}") for quote in QUOTES] for one in found}
        senders = {one.path for one in found}
        elsewhere = {name for name, text in texts.items() if self._files_that_use(text, self.files.keys() - senders)}
        return tuple(one for one in found if one.name not in elsewhere)

    def _unparsable(self) -> tuple[Unparsable, ...]:
        """Return the files that do not parse, with the places that import them."""
        broken = [facts.unparsable for _, facts in sorted(self.read.items()) if facts.unparsable is not None]
        definitions = [(one.path, one.module.rpartition(".")[2]) for one in broken]
        users = self._modules(self._files_that_use(definitions, self.files)) if broken else {}
        sites: dict[str, list[ImportSite]] = {}
        for path, module in users.items():
            for statement in module.imports:
                for imported in _imported_files(statement, path, self.names):
                    sites.setdefault(imported or "", []).append(ImportSite(path, statement.line, statement.text))
        return tuple(replace(one, imported_by=tuple(sites.get(one.path, ()))) for one in broken)


def pickled(facts: FileFacts) -> bytes:
    """Return the facts of a file as they are kept; empty when nothing was asked for."""
    return b"" if facts == FileFacts() else pickle.dumps(facts, pickle.HIGHEST_PROTOCOL)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _imported_files(statement: RawImport, path: str, names: ModuleNames) -> set[str | None]:
    if statement.level:
        package = names.find_relative(statement.module, statement.level, path)
        prefix = f"{statement.module}." if statement.module else ""
        inside = [names.find_relative(f"{prefix}{name}", statement.level, path) for name in statement.names]
    else:
        package = names.find(statement.module, path)
        inside = [names.find(f"{statement.module}.{name}", path) for name in statement.names]
    return {package, *inside}
