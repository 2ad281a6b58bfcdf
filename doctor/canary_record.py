"""Which canaries are under way: written before the first is sent, gone when they are removed.

One JSON file per proof in ``.doctor/canaries``. While the proof runs it holds a lock on the file; a file without one is
that of a proof that was killed, and its canaries can be swept.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from doctor.canary import Canaries


@dataclass(frozen=True, slots=True)
class CanaryRecord:
    """What is needed to find the canaries again: their own data, the database's clock when they were sent, and words
    (uuids of claims) by which their tasks and dead letters are known although the rows are gone."""

    canaries: Canaries
    since: datetime
    words: tuple[str, ...] = ()


@dataclass(slots=True)
class CanaryRecords:
    """The records of one target. ``folder`` is made on demand, readable by its owner alone."""

    folder: Path
    _kept: set[str] = field(default_factory=set)

    @contextmanager
    def under_way(self, record: CanaryRecord) -> Iterator[None]:
        """Keep the record while the canaries are under way; it goes when the block ends, unless :meth:`keep` is called.

        Raises:
            OSError: it cannot be written; then no canary may be sent.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(record)
        with path.open("w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            path.chmod(0o600)
            file.write(_dumps(record))
            file.flush()
            try:
                yield
            except BaseException:
                self._kept.add(record.canaries.marker)  # whatever happened, somebody has to look again
                raise
            finally:
                if record.canaries.marker not in self._kept:
                    path.unlink(missing_ok=True)

    def keep(self, record: CanaryRecord) -> None:
        """Leave the record, with what is known now: something of the canaries may still come."""
        self._kept.add(record.canaries.marker)
        with self._path(record).open("w", encoding="utf-8") as file:
            file.write(_dumps(record))

    def forget(self, record: CanaryRecord) -> None:
        """Remove the record: nothing of the canaries is left."""
        self._kept.discard(record.canaries.marker)
        self._path(record).unlink(missing_ok=True)

    def left(self) -> list[CanaryRecord]:
        """Return the records of proofs that do not run any more, oldest first; an unreadable one is left out."""
        found = []
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else ():
            with suppress(OSError, ValueError, KeyError, TypeError), path.open(encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.append(_loads(file.read()))
        return sorted(found, key=lambda record: record.since)

    def _path(self, record: CanaryRecord) -> Path:
        return self.folder / f"{record.canaries.marker}.json"


def with_words(record: CanaryRecord, words: tuple[str, ...]) -> CanaryRecord:
    """Return the record with more words to know its tasks by."""
    return replace(record, words=tuple(dict.fromkeys((*record.words, *words))))


def _dumps(record: CanaryRecord) -> str:
    return json.dumps({**asdict(record), "since": record.since.isoformat()})


def _loads(text: str) -> CanaryRecord:
    found = json.loads(text)
    return CanaryRecord(
        Canaries(**found["canaries"]), datetime.fromisoformat(found["since"]), tuple(map(str, found["words"]))
    )
