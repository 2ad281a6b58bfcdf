"""Counts, times and samples of one thing, in little memory. What is kept does not depend on the order of what comes."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Generic, TypeVar

from doctor.log_summary import LogRate, LogSample, Occurrences
from doctor.triage.records import Record
from doctor.triage.timestamps import shown

SAMPLES = 3
"""Lines that are kept: the first ones in alphabetical order."""

LONGEST_SAMPLE = 400
"""Characters of each."""

STEPS = 96
"""Steps into which time is divided at most; they double when there would be more."""

SERVICES = 32

SKETCHED = 64
"""Moments or ids by which two groups are compared: of all that are possible those with the smallest hashes."""

MOMENT = 2.0
"""Seconds that count as the same moment."""


K = TypeVar("K", str, tuple[str, int, str, str, bool])


class Counts(Generic[K]):
    """Counts a few things: of more than ``limit`` the smallest, whose counts are whole in any order."""

    __slots__ = ("_counts", "_edge", "_limit")

    def __init__(self, limit: int) -> None:
        self._counts: dict[K, int] = {}
        self._edge: K | None = None
        self._limit = limit

    def add(self, key: K) -> None:
        """Count one."""
        counts = self._counts
        if key in counts:
            counts[key] += 1
        elif self._edge is None or key < self._edge:
            counts[key] = 1
            if len(counts) > self._limit:
                self._edge = max(counts)
                del counts[self._edge]

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __iter__(self) -> Iterator[K]:
        return iter(self.often())

    def often(self) -> dict[K, int]:
        """Return them, the most frequent first."""
        return dict(sorted(self._counts.items(), key=lambda one: (-one[1], one[0])))


class Rate:
    """A histogram over time. ``step`` is in minutes, a power of two."""

    __slots__ = ("counts", "shift")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.shift = 0

    def add(self, time: float) -> None:
        """Count one moment."""
        step = int(time // 60) >> self.shift
        counts = self.counts
        if step in counts:
            counts[step] += 1
            return
        counts[step] = 1
        while max(counts) - min(counts) >= STEPS:
            self._double()
            counts = self.counts

    def _double(self) -> None:
        wider: dict[int, int] = {}
        for step, count in self.counts.items():
            wider[step >> 1] = wider.get(step >> 1, 0) + count
        self.counts, self.shift = wider, self.shift + 1

    def rate(self) -> LogRate:
        """Return it as it is shown: every step from the first to the last."""
        if not self.counts:
            return LogRate()
        first, last = min(self.counts), max(self.counts)
        seconds = 60 << self.shift
        return LogRate(
            shown(float(first * seconds)), seconds, tuple(self.counts.get(s, 0) for s in range(first, last + 1))
        )


class Sketch:
    """A sample of a set by hash: what two sketches have in common shows how far the sets overlap, however large."""

    __slots__ = ("_edge", "_kept")

    def __init__(self) -> None:
        self._kept: set[int] = set()
        self._edge = 1 << 64

    def add(self, digest: int) -> None:
        """Add an item by its hash."""
        if digest >= self._edge:
            return
        self._kept.add(digest)
        if len(self._kept) > SKETCHED:
            self._edge = max(self._kept)
            self._kept.remove(self._edge)

    def shared(self, other: Sketch) -> tuple[int, int]:
        """Return how many items are in both and how many in this one, of those that both had to keep."""
        edge = min(self._edge, other._edge)
        mine = {digest for digest in self._kept if digest < edge}
        return len(mine & other._kept), len(mine)


def digest_of(item: str) -> int:
    """Return 64 bits that depend on the item alone."""
    return int.from_bytes(blake2b(item.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class Tally:
    """How often, when, where."""

    __slots__ = ("_last_sample", "_rate", "_samples", "_services", "count", "first", "last")

    def __init__(self) -> None:
        self.count = 0
        self.first: float | None = None
        self.last: float | None = None
        self._rate = Rate()
        self._services = Counts[str](SERVICES)
        self._samples: list[tuple[str, str, int]] = []
        self._last_sample = ""

    def add(self, record: Record, text: str) -> None:
        """Count a record; ``text`` is redacted."""
        self.count += 1
        time = record.time
        if time is not None:
            if self.first is None or self.last is None:
                self.first = self.last = time
            elif time < self.first:
                self.first = time
            elif time > self.last:
                self.last = time
            self._rate.add(time)
        self._services.add(record.service)
        if len(self._samples) < SAMPLES or text < self._last_sample:
            self._sample(record, text)

    def _sample(self, record: Record, text: str) -> None:
        kept = text if len(text) <= LONGEST_SAMPLE else f"{text[:LONGEST_SAMPLE]}… (+{len(text) - LONGEST_SAMPLE})"
        place = (kept, record.source, record.number)
        same = next((one for one in self._samples if one[0] == kept), None)
        if same is not None:
            if place >= same:
                return
            self._samples.remove(same)
        self._samples = sorted([*self._samples, place])[:SAMPLES]
        self._last_sample = self._samples[-1][0]

    def occurrences(self) -> Occurrences:
        """Return them as they are shown."""
        return Occurrences(
            self.count,
            shown(self.first),
            shown(self.last),
            self._rate.rate(),
            self._services.often(),
            tuple(LogSample(*one) for one in self._samples),
        )
