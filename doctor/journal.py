"""The journal of a run's repairs: the inverse of each write, on disk before the write takes effect.

One JSON object a line in ``.doctor/runs/<id>/journal.jsonl`` (mode 0600, unredacted, never rendered), holding only
the lines and columns that a step touches. It survives ``kill -9``: an entry whose write never happened is recognised
on undo, because the target still holds the state before.
"""

from __future__ import annotations

import difflib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from doctor.file_names import visible

Entry = dict[str, Any]


class JournalError(Exception):
    """The journal cannot be used; the message says what is wrong with it."""


class Journal:
    """Append-only list of steps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._one_at_a_time = threading.Lock()

    def append(self, entry: Entry) -> None:
        """Write one step and wait until the disk has it. May be called from several threads."""
        line = json.dumps(entry, ensure_ascii=True).encode() + b"\n"
        with self._one_at_a_time:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                _drop_torn_line(descriptor)
                written = 0
                while written < len(line):
                    written += os.write(descriptor, line[written:])
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def entries(self) -> list[Entry]:
        """Return the steps in the order they were made.

        A last line that was cut off by a crash is left out: its step had not begun.

        Raises:
            JournalError: when any other line cannot be read.
        """
        if not self.path.exists():
            return []
        *lines, _torn = self.path.read_bytes().split(b"\n")
        entries: list[Entry] = []
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
                raise JournalError(f"{self.path}:{number}: is not a journal entry")
            entries.append(entry)
        return entries

    def __len__(self) -> int:
        return len(self.entries())


def _drop_torn_line(descriptor: int) -> None:
    """Cut off what a crash left after the last whole line, so that the next entry does not continue it."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":  # rare; a long journal is not read for every step
        os.ftruncate(descriptor, os.pread(descriptor, size, 0).rfind(b"\n") + 1)


@dataclass(frozen=True, slots=True)
class FileChange:
    """The lines of a file that a step replaces. Bytes travel as latin-1 text, so that any encoding survives."""

    path: str
    hunks: tuple[tuple[int, tuple[str, ...], tuple[str, ...]], ...]
    """(first line after the change, counted from 0; lines before; lines after)."""
    before: str
    after: str

    @classmethod
    def between(cls, path: str, before: bytes, after: bytes) -> FileChange:
        """Describe the way from ``before`` to ``after``."""
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        hunks = tuple((j1, _text(old[i1:i2]), _text(new[j1:j2])) for tag, i1, i2, j1, j2 in blocks if tag != "equal")
        return cls(path, hunks, _digest(before), _digest(after))

    def revert(self, current: bytes) -> bytes | None:
        """Return the file as it was, or None when it is so already.

        Raises:
            JournalError: when somebody changed the file since.
        """
        if _digest(current) == self.before:
            return None
        if _digest(current) != self.after:
            raise JournalError(f"{visible(self.path)} was changed since the repair; undo leaves it alone")
        lines = current.splitlines(keepends=True)
        for start, old, new in reversed(self.hunks):
            lines[start : start + len(new)] = [line.encode("latin-1") for line in old]
        restored = b"".join(lines)
        if _digest(restored) != self.before:  # pragma: no cover - would be a bug; better loud than a wrong file
            raise JournalError(f"{visible(self.path)}: the journal does not lead back to the original")
        return restored

    def to_entry(self) -> Entry:
        """Return the change as a journal entry."""
        return {"kind": "file", "path": self.path, "hunks": self.hunks, "before": self.before, "after": self.after}

    @classmethod
    def from_entry(cls, entry: Entry) -> FileChange:
        """Read the change back."""
        hunks = tuple((start, tuple(old), tuple(new)) for start, old, new in entry["hunks"])
        return cls(entry["path"], hunks, entry["before"], entry["after"])


def in_reverse(entries: list[Entry]) -> Iterator[Entry]:
    """Yield the steps that are still to be taken back, last first; ``repair`` is the fingerprint they belong to."""
    undone = {entry.get("step") for entry in entries if entry["kind"] == "undone"}
    fingerprint = None
    steps = []
    for step, entry in enumerate(entries):
        if entry["kind"] == "repair":
            fingerprint = entry.get("fingerprint")
        elif entry["kind"] != "undone" and step not in undone:
            steps.append({**entry, "step": step, "repair": fingerprint})
    yield from reversed(steps)


def repair_begins(fingerprint: str) -> Entry:
    """Return the entry that the steps of a finding's repair follow; by itself it changes nothing."""
    return {"kind": "repair", "fingerprint": fingerprint}


def _text(lines: list[bytes]) -> tuple[str, ...]:
    return tuple(line.decode("latin-1") for line in lines)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
