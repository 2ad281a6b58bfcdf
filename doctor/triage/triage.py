"""The whole way from inputs to a summary."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from doctor.log_summary import LogSummary
from doctor.source.log_calls import read_log_calls
from doctor.triage.call_sites import CallSites
from doctor.triage.catalogue import Catalogue
from doctor.triage.grouping import Grouper
from doctor.triage.groups import ROOM
from doctor.triage.inputs import LogSource, pieces
from doctor.triage.problems import Problems
from doctor.triage.reading import LogReading
from doctor.triage.summary import summary_of


class Triage:
    """Reads logs. ``source`` is the folder in which lines are looked for; ``day`` the date of times without one."""

    def __init__(
        self,
        catalogue: Catalogue,
        problems: Problems,
        *,
        source: Path | None = None,
        day: date | None = None,
        room: int = ROOM,
    ) -> None:
        self.problems = problems
        self.readings: list[LogReading] = []
        calls = read_log_calls(source.absolute()) if source is not None else ()
        if source is not None and not calls:
            problems.add(f"no call of a logger in the Python source of {source}")
        self._call_sites = len(calls)
        self._catalogue = catalogue
        self._day = day
        self.grouper = Grouper(catalogue, CallSites(calls), room=room)

    def read(self, found: Iterable[LogSource]) -> None:
        """Read these inputs to their ends."""
        for source in found:
            reading = self.reading(source)
            for piece in pieces(source, self.problems):
                if not reading.feed(piece):
                    break
            reading.finish()

    def reading(self, source: LogSource) -> LogReading:
        """Begin to read an input."""
        day = self._day or source.day
        reading = LogReading(source, self.grouper.add, self.problems, wakes=self._catalogue.wakes, day=day)
        self.readings.append(reading)
        return reading

    def summary(self, fail_on: str) -> LogSummary:
        """Return what has been read so far."""
        return summary_of(
            self.grouper,
            self.readings,
            self.problems.sentences(),
            unread=self.problems.unread,
            call_sites=self._call_sites,
            fail_on=fail_on,
        )
