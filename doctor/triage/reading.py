"""Reads one input: bytes to lines, lines to services, services to records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from doctor.log_summary import LogInput
from doctor.triage.compose import Unwrapped, unwrapping
from doctor.triage.detection import LOOKED_AT
from doctor.triage.inputs import LogSource
from doctor.triage.lines import BinaryContentError, LineReader
from doctor.triage.problems import Problems
from doctor.triage.records import Assembler, Record
from doctor.triage.timestamps import Clock
from doctor.wording import counted

SERVICES = 200
"""Services of one input that are kept apart; a file full of bars is no reason to open thousands."""


class LogReading:
    """One input while it is read. ``day`` is the date of times that have none."""

    def __init__(
        self,
        source: LogSource,
        emit: Callable[[Record], None],
        problems: Problems,
        *,
        wakes: Callable[[str], bool] = lambda _line: False,
        day: date | None = None,
    ) -> None:
        self.source = source
        self.lines = 0
        self.records = 0
        self.clock = Clock(day)
        self._emit_further = emit
        self._wakes = wakes
        self._problems = problems
        self._reader = LineReader()
        self._assemblers: dict[str, Assembler] = {}
        self._waiting: list[str] | None = []
        self._unwrap: Callable[[str], Unwrapped] | None = None
        self._is_binary = False

    def feed(self, piece: bytes) -> bool:
        """Take some bytes; return False when no more are wanted, because they are no text."""
        if self._is_binary:
            return False
        try:
            lines = self._reader.feed(piece)
        except BinaryContentError:
            self._is_binary = True
            self._problems.add(f"{self.source.name}: no text, passed over", unread=True)
            return False
        self._take(lines)
        return True

    def pause(self) -> None:
        """Nothing has come for a while: the last records are complete."""
        self._begin()
        for _, assembler in sorted(self._assemblers.items()):
            assembler.finish()

    def finish(self) -> None:
        """The input has ended."""
        self._take(self._reader.finish())
        self.pause()
        self._tell()

    def _take(self, lines: list[str]) -> None:
        if self._waiting is not None:
            self._waiting += lines
            if len(self._waiting) >= LOOKED_AT:
                self._begin()
            return
        if self._unwrap is not None:
            for line in lines:
                self.lines += 1
                service, time, text = self._unwrap(line)
                self._assembler(service or self.source.service).feed(self.lines, text, time)
            return
        feed, number = self._assembler(self.source.service).feed, self.lines
        for line in lines:
            number += 1
            feed(number, line)
        self.lines = number

    def _begin(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._unwrap = unwrapping(waiting[:LOOKED_AT])
            self._take(waiting)

    def _assembler(self, service: str) -> Assembler:
        found = self._assemblers.get(service)
        if found is None:
            if len(self._assemblers) >= SERVICES:
                return self._assembler("")
            found = Assembler(service, self.source.name, self.clock, self._emit, self._wakes)
            self._assemblers[service] = found
        return found

    def _emit(self, record: Record) -> None:
        self.records += 1
        self._emit_further(record)

    def _tell(self) -> None:
        for number, what in (
            (self._reader.cut, "were too long and are cut"),
            (self._reader.invalid, "were not valid in the encoding"),
        ):
            if number:
                kind = "line" if "long" in what else "byte"
                self._problems.add(f"{self.source.name}: {counted(number, kind)} {what}")

    def told(self) -> LogInput:
        """Return what is told of the input."""
        forms = sorted({form for assembler in self._assemblers.values() for form in assembler.forms})
        return LogInput(self.source.name, self.lines, self.records, tuple(forms))
