"""Puts lines together: a record is a line with a header and everything that follows it up to the next one.

Without headers every line is a record of its own, except what belongs to a traceback or is indented.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from doctor.triage.detection import LOOKED_AT, StreamKind, detected
from doctor.triage.formats import FormatReader, Header
from doctor.triage.timestamps import Clock
from doctor.triage.tracebacks import HEADER, LOGGING_ERROR, TracebackScan

HEAD, TAIL = 150, 150
"""Lines that are kept of the beginning and the end of a record; an endless traceback is no reason to run out of
memory."""


@dataclass(slots=True)
class Record:
    """What an application wrote in one go. ``time`` is in seconds since 1970 or None; ``number`` is its first line."""

    service: str
    source: str
    number: int
    message: str
    time: float | None = None
    level: str = ""
    logger: str = ""
    function: str = ""
    line: int = 0
    context: str = ""
    extra: list[str] = field(default_factory=list)
    dropped: int = 0
    """Lines of it that were not kept."""


class Assembler:
    """Takes the lines of one service in one input, and hands each record to ``emit`` when it is complete.

    ``wakes`` tells of a line without a header that it must not be swallowed as the rest of another record.
    """

    def __init__(
        self,
        service: str,
        source: str,
        clock: Clock,
        emit: Callable[[Record], None],
        wakes: Callable[[str], bool] = lambda _line: False,
    ) -> None:
        self.forms: set[str] = set()
        """The forms that were met."""
        self._service = service
        self._source = source
        self._clock = clock
        self._emit = emit
        self._wakes = wakes
        self._waiting: list[tuple[int, str, str]] = []
        self._reader: FormatReader | None = None
        self._kind = StreamKind()
        self._scan = TracebackScan()
        self._open: Record | None = None

    def feed(self, number: int, line: str, outer: str = "") -> None:
        """Take one line; ``outer`` is a time that stood before it."""
        if self._reader is not None:
            self._take(self._reader, number, line, outer)
            return
        self._waiting.append((number, line, outer))
        if len(self._waiting) >= LOOKED_AT:
            self.flush()

    def flush(self) -> None:
        """Decide what kind of stream this is, if that is still open."""
        if self._reader is None:
            self._kind = detected([line for _, line, _ in self._waiting])
            self._reader = FormatReader(self._kind.weak)
        waiting, self._waiting = self._waiting, []
        for number, line, outer in waiting:
            self._take(self._reader, number, line, outer)

    def finish(self) -> None:
        """The input has ended, or nothing has come for a while: so has the last record."""
        self.flush()
        if self._open is not None:
            self._emit(self._open)
            self._open = None

    def _take(self, reader: FormatReader, number: int, line: str, outer: str) -> None:
        """Begin a record with a line, or add it to the open one."""
        found = reader.read(line)
        if found is not None:
            self.forms.add(found[0])
            self._scan.end()
            self._begin(number, found[1], outer)
        elif self._continues(line):
            self._append(number, line, outer)
        else:
            self._begin(number, Header(line), outer)

    def _continues(self, line: str) -> bool:
        if line.startswith(LOGGING_ERROR):
            self._scan.end()
        in_traceback = self._scan.takes(line)
        if line.startswith(LOGGING_ERROR):
            return False
        if in_traceback:
            return self._open is not None or HEADER not in line
        if not line or line[:1].isspace():
            return True
        return not self._kind.has_bare and self._open is not None and not self._wakes(line)

    def _append(self, number: int, line: str, outer: str) -> None:
        record = self._open
        if record is None:
            if line.strip():
                self._begin(number, Header(line.strip()), outer)
            return
        extra = record.extra
        extra.append(line)
        if len(extra) > HEAD + 2 * TAIL:
            record.dropped += TAIL
            del extra[HEAD : HEAD + TAIL]

    def _begin(self, number: int, header: Header, outer: str) -> None:
        if self._open is not None:
            self._emit(self._open)
        stamp = header.stamp or outer
        self._open = Record(
            self._service,
            self._source,
            number,
            header.message,
            self._clock.read(stamp) if stamp else None,
            header.level,
            header.logger,
            header.function,
            header.line,
            header.context,
            list(header.extra),
        )
