"""Reads on while logs grow: each signature is told when it is met for the first time.

A file that becomes shorter was truncated, one with another inode was rotated: both are read from their beginning again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from select import select
from typing import BinaryIO

from doctor.known_signature import SignatureKind
from doctor.triage.inputs import PIECE, LogSource, pieces
from doctor.triage.reading import LogReading
from doctor.triage.triage import Triage

PAUSE = 0.25
"""Seconds between two looks at files that have nothing new, and after which a record counts as complete."""


@dataclass(slots=True)
class _Followed:
    source: LogSource
    reading: LogReading
    file: BinaryIO | None = None
    inode: int = 0


class Follower:
    """Follows inputs until it is interrupted, or until standard input, as the only one, has ended.

    ``say`` is given one line for each signature that is new; ``pause`` is how it waits.
    """

    def __init__(
        self,
        triage: Triage,
        found: Sequence[LogSource],
        say: Callable[[str], None],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._triage = triage
        self._say = say
        self._pause = pause
        self._told: set[str] = set()
        self._streams = [one for one in found if one.path is None or not one.path.is_file()]
        self._files = [_Followed(one, triage.reading(one)) for one in found if one not in self._streams]

    def run(self) -> None:
        """Follow; Ctrl-C ends it in peace, for there is no other end."""
        try:
            for source in self._streams:
                self._stream(source)
            while self._files:
                news = [self._more(one) for one in self._files]  # each has its turn
                if not any(news):
                    self._pause(PAUSE)
        except KeyboardInterrupt:
            pass
        for one in self._files:
            one.reading.finish()
            if one.file is not None:
                one.file.close()
        self._tell()

    def _stream(self, source: LogSource) -> None:
        reading = self._triage.reading(source)
        for piece in pieces(source, self._triage.problems):
            if not reading.feed(piece):
                break
            if source.path is None and not select([sys.stdin.buffer], [], [], PAUSE)[0]:
                reading.pause()
                self._tell()
        reading.finish()

    def _more(self, one: _Followed) -> bool:
        """Take what has been appended; return whether there was anything."""
        path = one.source.path
        assert path is not None
        try:
            state = path.stat()
            if one.file is None or state.st_ino != one.inode or state.st_size < one.file.tell():
                if one.file is not None:
                    self._triage.problems.add(f"{one.source.name}: began anew while it was followed")
                    one.file.close()
                one.file, one.inode = path.open("rb"), state.st_ino
            piece = one.file.read(PIECE)
        except OSError:  # between the removal of the old file and the making of the new one
            return False
        if not piece:
            one.reading.pause()
            self._tell()
            return False
        one.reading.feed(piece)
        return True

    def _tell(self) -> None:
        for tally in self._triage.grouper.tallies(SignatureKind.PROBLEM):
            name = tally.signature.name
            if name not in self._told:
                self._told.add(name)
                self._say(f"{tally.signature.severity}  {name}  {tally.signature.title}")
