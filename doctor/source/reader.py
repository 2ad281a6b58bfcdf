"""Reads files: at a glance, for their facts, or only to know that they parse. One process's share of the work."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from doctor.source.collect import collect
from doctor.source.collector import Collector, Module
from doctor.source.discover import Stamp
from doctor.source.excerpt import excerpt
from doctor.source.facts import Unparsable, UnparsableKind
from doctor.source.file_redaction import without_secrets
from doctor.source.glance import Glance, Glancer, Mentions, Place
from doctor.source.module_facts import ModuleFacts
from doctor.source.module_names import ModuleNames
from doctor.source.newer import NewerSyntax
from doctor.source.parse import Content, lines_of, parse, read_stamped, syntax_problem

KEPT = 64_000_000
"""Bytes of files that are kept in memory between the glance and the parsing; what is more is read again."""

DIGEST = 16
"""Bytes of a hash. Two files of one hash would share their facts; by accident that does not happen."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of one file. A part that nobody has asked for is None; so is all of it when it cannot be parsed.

    ``collected`` are the facts by the names of their collectors, in the order of the file. ``is_certain`` is false when
    another attempt may give more; ``is_whole`` where only an excerpt was parsed, so that more is unknown than is told.
    """

    module: ModuleFacts | None = None
    collected: dict[str, tuple[Any, ...]] | None = None
    unparsable: Unparsable | None = None
    is_certain: bool = True
    is_whole: bool = True

    @property
    def is_searched(self) -> bool:
        """Whether its tree was walked for facts."""
        return self.module is not None or self.collected is not None

    def answers(self, need: Need) -> bool:
        """Whether nothing more is to be read for this need."""
        if self.unparsable is not None:
            return True
        if need.whole and not self.is_whole:
            return False
        has_collected = self.collected is not None and self.collected.keys() >= set(need.collected)
        return (self.module is not None or not need.module) and (has_collected or not need.collected)


@dataclass(frozen=True, slots=True)
class Need:
    """Which facts of a file are asked for; neither: only whether it parses. ``whole``: that is asked for as well."""

    module: bool = False
    collected: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that was read: the hash of its content and its module's name (empty: nobody keeps it), its time stamp
    (None: not to be trusted), and what its bytes say."""

    digest: bytes
    stamp: Stamp | None
    glance: Glance


class Reader:
    """Reads files under ``root``. Raises nothing for what they hold."""

    def __init__(self, root: Path, names: ModuleNames, collectors: Sequence[Collector], *, hashes: bool = True) -> None:
        self.root = root
        self.names = names
        self.collectors = collectors
        self.newer = NewerSyntax()
        self._hashes = hashes
        self._glancer = Glancer(collectors)
        self._kept: dict[str, bytes] = {}
        self._room = KEPT

    def glance(self, paths: Iterable[str]) -> dict[str, Seen | Unparsable]:
        """Read these files and look for literals in their bytes."""
        return {path: self._glance(path) for path in paths}

    def _glance(self, path: str) -> Seen | Unparsable:
        found = read_stamped(self.root, path)
        if not isinstance(found, Content):
            return self._failed(path, *found)
        content = found.content
        if len(content) <= self._room:
            self._room -= len(content)
            self._kept[path] = content
        return Seen(self._digest(path, content), found.stamp, self._glancer.at(content))

    def _digest(self, path: str, content: bytes) -> bytes:
        if not self._hashes:
            return b""
        digest = blake2b(content, digest_size=DIGEST)
        digest.update(b"\0" + self.names.name_of(path).encode("utf-8", "surrogateescape"))
        return digest.digest()

    def facts(self, needs: Mapping[str, Need]) -> dict[str, FileFacts]:
        """Parse these files and return the facts that are asked for, without secrets."""
        return {path: without_secrets(self._facts(path, need)) for path, need in needs.items()}

    def using(self, paths: Iterable[str], functions: Sequence[tuple[bytes, Place]]) -> list[str]:
        """Return those of the files that may use one of these functions (name, where it is defined)."""
        mentions = Mentions(functions)
        contents = ((path, self._content(path)) for path in paths)
        return [path for path, content in contents if isinstance(content, bytes) and mentions.in_(path, content)]

    def _content(self, path: str) -> bytes | Unparsable:
        kept = self._kept.get(path)
        if kept is not None:
            return kept
        found = read_stamped(self.root, path)
        return found.content if isinstance(found, Content) else self._failed(path, *found)

    def _facts(self, path: str, need: Need) -> FileFacts:
        content = self._content(path)
        if isinstance(content, Unparsable):
            return FileFacts(unparsable=content, is_certain=False)
        if not need.whole and (facts := self._of_excerpt(content, path, need)) is not None:
            return facts
        tree = self._parsed(content, path, with_tree=need != Need())
        if isinstance(tree, Unparsable):
            return FileFacts(unparsable=tree, is_certain=not self.newer.has_failed)
        if tree is None:
            return FileFacts()
        try:
            return self._collected(tree, path, content, need)
        except RecursionError as error:
            return FileFacts(unparsable=self._failed(path, UnparsableKind.TOO_DEEP, str(error)))

    def _of_excerpt(self, content: bytes, path: str, need: Need) -> FileFacts | None:
        """Return the facts of what some collectors look at; None where they, or the parser, need all of the file."""
        wanted = [one for one in self.collectors if one.name in need.collected]
        found = [one.within(content) if one.within is not None else None for one in wanted]
        if need.module or any(places is None for places in found):
            return None
        part = excerpt(content, [place for places in found if places is not None for place in places])
        module = self.names.name_of(path)
        tree = None if part is None else parse(part, path, module)
        if not isinstance(tree, ast.Module):
            return None
        seen = Module(path, module, tree, lines_of(content))
        return FileFacts(collected={one.name: tuple(one.collect(seen)) for one in wanted}, is_whole=False)

    def _parsed(self, content: bytes, path: str, *, with_tree: bool) -> ast.Module | Unparsable | None:
        """Return the tree, or why there is none; without one asked for, None when there would be one."""
        module = self.names.name_of(path)
        tree = parse(content, path, module) if with_tree else syntax_problem(content, path, module)
        if isinstance(tree, Unparsable) and tree.kind is UnparsableKind.SYNTAX and not tree.has_conflict_markers:
            older = self.newer.older(content)
            tree = tree if older is None else parse(older, path, module)
        return tree

    def _collected(self, tree: ast.Module, path: str, content: bytes, need: Need) -> FileFacts:
        lines = lines_of(content)
        facts = collect(tree, path, lines) if need.module else None
        module = Module(path, self.names.name_of(path), tree, lines)
        wanted = [one for one in self.collectors if _is_wanted(one, need)]
        return FileFacts(facts, {one.name: tuple(one.collect(module)) for one in wanted})

    def _failed(self, path: str, kind: UnparsableKind, message: str) -> Unparsable:
        return Unparsable(path, self.names.name_of(path), kind, message)


def _is_wanted(collector: Collector, need: Need) -> bool:
    """Whether a collector is asked for, or looks at every file of its kind that is parsed anyway."""
    anyway = not collector.literals and (need.module or not collector.linked)
    return anyway or collector.name in need.collected
