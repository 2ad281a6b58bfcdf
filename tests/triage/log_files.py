"""Reads texts as logs, in one step."""

from __future__ import annotations

from pathlib import Path

from doctor.commands.output import registry
from doctor.log_summary import LogSummary
from doctor.triage.catalogue import Catalogue
from doctor.triage.inputs import sources
from doctor.triage.problems import Problems
from doctor.triage.records import Assembler, Record
from doctor.triage.timestamps import Clock
from doctor.triage.triage import Triage


def records(*lines: str, wakes=lambda _line: False) -> list[Record]:
    """Return the records of one stream."""
    found: list[Record] = []
    assembler = Assembler("worker", "worker.log", Clock(), found.append, wakes)
    for number, line in enumerate(lines, 1):
        assembler.feed(number, line)
    assembler.finish()
    return found


def summary(*paths: Path, source: Path | None = None, room: int = 20_000, day=None) -> LogSummary:
    """Return what these files tell."""
    problems = Problems()
    triage = Triage(Catalogue(registry().signatures.values()), problems, source=source, room=room, day=day)
    triage.read(sources(map(str, paths), problems))
    return triage.summary("error")


def written(folder: Path, text: str | bytes, name: str = "worker.log") -> Path:
    """Write a log and return where it is."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
