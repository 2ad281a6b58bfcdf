"""Finds text in the settings files beside the source (``.env*``, YAML, TOML): bounded, and without following links."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from doctor.file_names import visible
from doctor.redaction import bounded, redact
from doctor.source.discover import EXCLUDED_FOLDERS

MAX_FILES = 300
"""Settings files that are read; those nearest the root come first."""

MAX_FOLDERS = 2_000
MAX_BYTES = 300_000
"""Bytes beyond which a file is data and no settings."""

TEXT_LIMIT = 200

_NAME = re.compile(r"\.env(?:[.\-_].*)?|.*\.env|.*\.ya?ml|.*\.toml", re.IGNORECASE)
_DATA = re.compile(r".*(?:[.\-_]lock|lock)\.(?:ya?ml|toml)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SettingsLine:
    """One line that matches: ``path`` relative to the root (or absolute, outside it), ``text`` redacted."""

    path: str
    line: int
    text: str
    found: str


@dataclass(frozen=True, slots=True)
class SettingsSearch:
    """What was found in how many ``files``; ``is_whole`` is false when a limit was reached."""

    lines: tuple[SettingsLine, ...]
    files: int
    is_whole: bool


def search_settings(root: Path, pattern: re.Pattern[str], more: Iterable[Path] = ()) -> SettingsSearch:
    """Look for ``pattern`` (its group ``found``) in each line of the settings files under ``root`` and in ``more``.

    A comment ends a line. A file that cannot be read holds nothing.
    """
    files = list(dict.fromkeys([*more, *_files(root)]))
    lines = [line for file in files[:MAX_FILES] for line in _matching(file, root, pattern)]
    return SettingsSearch(tuple(lines), min(len(files), MAX_FILES), len(files) <= MAX_FILES)


def _files(root: Path) -> Iterator[Path]:
    """Yield the settings files, folder by folder, nearest first; one more than are read shows that there are more."""
    waiting, seen, count = [root], 0, 0
    while waiting and seen < MAX_FOLDERS and count <= MAX_FILES:
        folder = waiting.pop(0)
        seen += 1
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name not in EXCLUDED_FOLDERS:
                    waiting.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False) and _is_settings(entry.name):
                count += 1
                yield Path(entry.path)


def _is_settings(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and not _DATA.fullmatch(name)


def _matching(file: Path, root: Path, pattern: re.Pattern[str]) -> Iterator[SettingsLine]:
    shown = visible(file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file))
    for number, line in enumerate(_text(file).splitlines(), start=1):
        if match := pattern.search(line):
            before = line[: match.start()].lstrip()
            if not before.startswith("#") and " #" not in before:
                yield SettingsLine(shown, number, bounded(redact(line.strip()), TEXT_LIMIT), match["found"])


def _text(file: Path) -> str:
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as opened:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_BYTES:
                return ""
            return opened.read(MAX_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""
