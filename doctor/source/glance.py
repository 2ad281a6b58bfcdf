"""What the bytes of a file say before it is parsed: whether any collector wants it, and which libraries it imports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from doctor.source.collector import Collector
from doctor.source.libraries import LITERALS, LITERALS_WITH, NARROWER
from doctor.source.needles import Needles
from doctor.source.parse import conflict_line

LONGEST_PART = 400
"""Bytes of an import statement before its ``import``, and after it in one line; more is a text or data."""

_CONFLICT = b"<<<<<<< "
_WORD = re.compile(rb"\w+")
_IMPORT = re.compile(rb"import(?<!\wimport)(?!\w)")  # begins with the letters, so that they are searched for quickly
_CONTINUED = re.compile(rb"[^\n]*\\\r?\n")


@dataclass(frozen=True, slots=True)
class Glance:
    """One file, unparsed. ``size`` is in bytes.

    ``has_task`` tells that it registers or enqueues; it does so too if a library among ``with_library`` is imported
    anywhere in the tree (``imports``: those that this file imports). ``wanted`` are the names of the collectors that
    look at it.
    """

    size: int
    has_conflict: bool = False
    has_task: bool = False
    imports: tuple[str, ...] = ()
    with_library: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()


class Glancer:
    """Glances at files for these collectors."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        self._collectors = [one for one in collectors if one.literals]
        self._imports = {
            library.decode(): (
                frozenset((b"import " + library, b"from " + library)),
                re.compile(rb"(?:import|from) " + re.escape(library) + rb"\b"),
            )
            for library in LITERALS_WITH
        }
        self._tasks = frozenset(LITERALS)
        self._with_library = {library.decode(): frozenset(words) for library, words in LITERALS_WITH.items()}
        self._needles = Needles(
            {
                _CONFLICT,
                *self._tasks,
                *frozenset[bytes]().union(*(words for words, _ in self._imports.values())),
                *frozenset[bytes]().union(*self._with_library.values()),
                *(literal for one in self._collectors for literal in one.literals),
            }
        )

    def at(self, content: bytes) -> Glance:
        """Return what the bytes of one file say."""
        found = self._needles.in_(content)
        if not found:
            return Glance(len(content))
        narrowed = {one for one in found if one not in NARROWER or NARROWER[one].search(content)}
        return Glance(
            size=len(content),
            has_conflict=_CONFLICT in found and conflict_line(content) is not None,
            has_task=not self._tasks.isdisjoint(narrowed),
            imports=tuple(
                name
                for name, (words, pattern) in self._imports.items()
                if not words.isdisjoint(found) and pattern.search(content)
            ),
            with_library=tuple(name for name, words in self._with_library.items() if not words.isdisjoint(narrowed)),
            wanted=tuple(
                one.name
                for one in self._collectors
                if not found.isdisjoint(one.literals) and (one.looks is None or one.looks(content))
            ),
        )


def imported_words(content: bytes) -> frozenset[bytes]:
    """Return the words of all import statements: of the modules, and of what is imported from them."""
    words: set[bytes] = set()
    for before, after in pairwise(_IMPORT.split(content)):
        begin = before.rfind(b"\n") + 1
        if len(before) - begin > LONGEST_PART:
            continue
        words.update(_WORD.findall(before, begin))
        words.update(_WORD.findall(after, 0, _end_of_clause(after)))
    return frozenset(words)


def _end_of_clause(text: bytes) -> int:
    if text.lstrip(b" \t")[:1] == b"(":
        return _or_all(text.find(b")"), text)
    position = 0
    while (match := _CONTINUED.match(text, position)) is not None:  # a backslash goes on in the next line
        position = match.end()
    return min(_or_all(text.find(b"\n", position), text), position + LONGEST_PART)


def _or_all(position: int, text: bytes) -> int:
    return len(text) if position < 0 else position


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function is defined: the names of the module and of the packages around it, and their folder."""

    module: bytes
    packages: tuple[bytes, ...]
    folder: str

    @classmethod
    def of(cls, path: str) -> Place:
        """Return the place that the path of a file is for those who import it."""
        folder, _, _ = path.rpartition("/")
        names = [part.encode("utf-8", "surrogateescape") for part in path.removesuffix(".py").split("/")]
        if names[-1] == b"__init__" and len(names) > 1:
            names.pop()
        return cls(names[-1], tuple(names[:-1]), f"{folder}/" if folder else "")

    def is_near(self, path: str) -> bool:
        """Whether a file lies so that a relative import leads here without naming a package."""
        folder, slash, _ = path.rpartition("/")
        return path.startswith(self.folder) or self.folder.startswith(f"{folder}{slash}")

    def is_imported(self, content: bytes, imported: frozenset[bytes], *, near: bool) -> bool:
        """Whether a file imports the module, or its package to reach it by a dot."""
        by_package = len(self.packages) < 2 or self.packages[-1] in imported  # the outermost may be a mere folder
        if self.module in imported:
            return near or by_package
        return by_package and b".%b." % self.module in content


class Mentions:
    """Looks for files that may use one of these functions (name, where it is defined)."""

    def __init__(self, functions: Iterable[tuple[bytes, Place]]) -> None:
        self._places: dict[bytes, list[Place]] = {}
        for name, place in functions:
            self._places.setdefault(name, []).append(place)
        self._names = Needles(self._places)

    def in_(self, path: str, content: bytes) -> bool:
        """Tell whether a file imports one of the names from around there, or holds it and imports its module."""
        names = self._names.in_(content)
        if not names:
            return False
        imported = imported_words(content)
        return any(_is_used(name, place, path, content, imported) for name in names for place in self._places[name])


def _is_used(name: bytes, place: Place, path: str, content: bytes, imported: frozenset[bytes]) -> bool:
    if name.startswith((b'"', b"'")):
        return True  # the full name of a task, as a text
    near = place.is_near(path)
    if name in imported and (near or not imported.isdisjoint(place.packages)):
        return True
    return place.is_imported(content, imported, near=near)
