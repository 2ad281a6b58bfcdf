"""Which inputs there are, and their bytes: files, folders, gzip, standard input.

A file is read up to the end that it has when that is reached; one that becomes shorter meanwhile is told.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, cast

from doctor.file_names import visible
from doctor.triage.problems import Problems

PIECE = 1 << 20
"""Bytes that are read in one go."""

STANDARD_INPUT = "-"

_LOG_NAME = re.compile(
    r"(?:\.(?:log|out|err|txt|jsonl|ndjson)(?:[.\-_][\w.\-]*)?|(?:^|[.\-_])log(?:[.\-_]\d[\w.\-]*)?)(?:\.gz)?$"
)
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}


@dataclass(frozen=True, slots=True)
class LogSource:
    """One input. ``path`` is None for standard input; ``name`` is as it is shown."""

    name: str
    path: Path | None = None

    @property
    def service(self) -> str:
        """The service that writes it, by the file's name: ``worker`` for ``logs/worker.log.1.gz``."""
        return visible(self.path.name).partition(".")[0] or self.name if self.path is not None else ""

    @property
    def day(self) -> date | None:
        """The day on which a file was written last, for lines whose times have no date."""
        if self.path is not None:
            with suppress(OSError, ValueError, OverflowError):
                return datetime.fromtimestamp(self.path.stat().st_mtime, UTC).date()
        return None


def sources(words: Iterable[str], problems: Problems) -> list[LogSource]:
    """Return the inputs that the words of a command name, each file once, folders in the order of names."""
    found: dict[tuple[int, int] | str, LogSource] = {}
    for word in words:
        if word == STANDARD_INPUT:
            found.setdefault(word, LogSource("standard input"))
            continue
        for path in _files(Path(word), problems):
            try:
                state = path.stat()
            except OSError as error:
                problems.add(f"{visible(str(path))}: {error.strerror}", unread=True)
                continue
            found.setdefault((state.st_dev, state.st_ino), LogSource(visible(str(path)), path))
    return list(found.values())


def _files(path: Path, problems: Problems) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    passed_over = 0
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            if name.startswith(".") or file.is_symlink() or not file.is_file() or _LOG_NAME.search(name) is None:
                passed_over += 1
            else:
                yield file
    if passed_over:
        problems.add(f"{visible(str(path))}: {passed_over} files passed over, whose names are not those of logs")


def pieces(source: LogSource, problems: Problems) -> Iterator[bytes]:
    """Yield the bytes of an input, unpacked."""
    try:
        if source.path is None:
            yield from _unpacked(_buffered(sys.stdin.buffer), source, problems)
        else:
            with source.path.open("rb") as file:
                yield from _unpacked(file, source, problems)
    except OSError as error:
        problems.add(f"{source.name}: {error.strerror or error}", unread=True)


def _buffered(file: BinaryIO) -> io.BufferedReader:
    return file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", file))


def _unpacked(file: io.BufferedReader, source: LogSource, problems: Problems) -> Iterator[bytes]:
    head = file.peek(8)[:8]
    if head.startswith(b"\x1f\x8b"):
        yield from _gunzipped(file, source, problems)
        return
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            sentence = f"{source.name}: packed with {name}; unpack it and hand it over: … | doctor triage -"
            problems.add(sentence, unread=True)
            return
    read = 0
    while piece := file.read1(PIECE):  # what is there, without waiting for more: the writer of a pipe may be slow
        read += len(piece)
        yield piece
    if source.path is not None and source.path.is_file() and source.path.stat().st_size < read:
        problems.add(f"{source.name}: became shorter while it was read")


def _gunzipped(file: io.BufferedReader, source: LogSource, problems: Problems) -> Iterator[bytes]:
    unpacked = gzip.GzipFile(fileobj=file)
    try:
        while piece := unpacked.read(PIECE):
            yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problems.add(
            f"{source.name}: the packed file ends too early or is damaged ({error}); what came before was read"
        )
