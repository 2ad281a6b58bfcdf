"""What a run leaves for the next one: facts of files by their content, and the facts of the whole by all contents."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from doctor.source.cache import FactCache, loads
from doctor.source.discover import Stamp


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file: its hash, that of its module's name too, its time stamp (None: read it again), and what is known of it:
    its :class:`Glance` and its pickled facts.

    ``facts`` is None for a file that was not parsed, and empty for one that parses and was asked for nothing.
    """

    digest: bytes
    module: str
    stamp: Stamp | None
    glance: Any
    facts: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeptTree:
    """A whole tree: the facts of all its files, valid as long as each has the same stamp, or else the same hash."""

    root: str
    outside: tuple[str, ...]
    stamps: dict[str, Stamp | None] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)
    facts: bytes = b""


class Keeper:
    """Loads and saves both. ``variant`` tells readers apart that ask for different facts."""

    def __init__(self, cache: FactCache, variant: str) -> None:
        self._cache = cache
        self._variant = variant

    @property
    def is_on(self) -> bool:
        """Whether anything can be kept."""
        return self._cache.is_on

    def tree(self) -> KeptTree | None:
        """Return the tree as the last run saw it."""
        found = self._load("tree")
        return found if isinstance(found, KeptTree) else None

    def files(self) -> dict[str, KeptFile]:
        """Return the files that the last run saw, by their paths."""
        found = self._load("files")
        return found if isinstance(found, dict) else {}

    def save(self, tree: KeptTree | None, files: Mapping[str, KeptFile] | None) -> None:
        """Keep these in the place of what was kept; None: leave it as it is."""
        if files is not None:
            self._cache.save(f"{self._variant}-files", pickle.dumps(dict(files), pickle.HIGHEST_PROTOCOL))
        if tree is not None:
            self._cache.save(f"{self._variant}-tree", pickle.dumps(tree, pickle.HIGHEST_PROTOCOL))

    def _load(self, what: str) -> Any:
        payload = self._cache.load(f"{self._variant}-{what}")
        return None if payload is None else unpickled(payload)


def unpickled(payload: bytes) -> Any:
    """Return what was pickled here, or None: a seal is no proof that the classes are still what they were."""
    try:
        return loads(payload)
    except Exception:  # noqa: BLE001 - the unpickler may raise anything, and a cache is never a reason to fail
        return None
