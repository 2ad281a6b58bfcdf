"""The table of groups: bounded, and the same whatever the order of what comes.

Of more groups than there is room for, those with the smallest (rank of level, id) stay: a choice by content, so that
the counts of those that stay are whole.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from doctor.source.log_calls import LogCallSite
from doctor.triage.masking import VERSION
from doctor.triage.records import Record
from doctor.triage.tally import MOMENT, Counts, Sketch, Tally, digest_of

ROOM = 20_000
"""Groups that are kept."""

SITES, ENDPOINTS = 4, 20

Site = tuple[str, int, str, str, bool]
"""What is told of a call: path, line, function, template, and whether it loses its arguments."""

_RANKS = {"critical": 0, "error": 0, "warning": 1, "": 2, "info": 2, "debug": 3}
_IDS = re.compile(r"\b(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})\b")
_CONTEXT_ID = re.compile(r"\b(?:req|request_id|job|job_id|task_id|trace_id|correlation_id)=(?!-)(\S+)")
_ENDPOINT = re.compile(r"\b(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[^\s\"'?]*)")


class GroupKey(NamedTuple):
    """What the lines of a group have in common; its hash is the id."""

    kind: str
    level: str
    logger: str
    template: str

    @property
    def id(self) -> str:
        """Twelve hex digits."""
        identity = "\0".join((VERSION, self.kind, self.level, self.logger, self.template))
        return sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(slots=True)
class Group:
    """Lines of one origin, while they are being counted."""

    key: GroupKey
    id: str
    tally: Tally = field(default_factory=Tally)
    sites: Counts[Site] = field(default_factory=lambda: Counts(SITES))
    exceptions: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    signatures: set[str] = field(default_factory=set)
    endpoints: Counts[str] = field(default_factory=lambda: Counts(ENDPOINTS))
    moments: Sketch | None = None
    ids: Sketch | None = None

    @property
    def order(self) -> tuple[int, str]:
        """What stays when there is not enough room: the smallest."""
        return _RANKS[self.key.level], self.id

    @property
    def is_trouble(self) -> bool:
        """Whether it is a warning or worse."""
        return _RANKS[self.key.level] < 2

    def add(self, record: Record, text: str) -> None:
        """Count a record."""
        self.tally.add(record, text)
        if self.is_trouble or self.signatures:
            self._relate(record, text)

    def _relate(self, record: Record, text: str) -> None:
        """Remember when it was and of which request, so that groups can be compared."""
        if record.time is not None:
            self.moments = self.moments or Sketch()
            self.moments.add(digest_of(str(int(record.time // MOMENT))))
        ids = _IDS.findall(text) if "-" in text or len(text) > 32 else []
        for found in (*ids, *(_CONTEXT_ID.findall(record.context) if record.context else ())):
            self.ids = self.ids or Sketch()
            self.ids.add(digest_of(found))
        for method, path in _ENDPOINT.findall(text)[:3] if " /" in text else ():
            self.endpoints.add(f"{method} {path}")

    def at(self, site: LogCallSite) -> None:
        """Count a call in the source."""
        self.sites.add((site.path, site.line, f"{site.module}.{site.function}", site.template, site.lost))


class Groups:
    """All groups. ``unkept`` counts records of groups that had no room."""

    def __init__(self, room: int = ROOM) -> None:
        self.unkept = 0
        self._room = room
        self._groups: dict[GroupKey, Group] = {}
        self._heap: list[tuple[int, str, Group]] = []

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups.values())

    def of(self, key: GroupKey) -> Group | None:
        """Return the group, made if there is room for it; None where there is none."""
        group = self._groups.get(key)
        if group is None:
            group = Group(key, key.id)
            if len(self._groups) >= self._room and not self._make_room(group):
                self.unkept += 1
                return None
            self._groups[key] = group
            rank, name = group.order
            heapq.heappush(self._heap, (-rank, _turned(name), group))
        return group

    def _make_room(self, group: Group) -> bool:
        worst = self._heap[0][2]
        if group.order >= worst.order:
            return False
        heapq.heappop(self._heap)
        del self._groups[worst.key]
        self.unkept += worst.tally.count
        return True


_TURN = str.maketrans("0123456789abcdef", "fedcba9876543210")


def _turned(name: str) -> str:
    """Return a text that sorts the other way round."""
    return name.translate(_TURN)
