"""Starts to read the source while the command line is still being imported: the one needs as long as the other.

It is a guess from the words of the command line. A wrong one costs a process that nobody asks; the right one is taken
over by whoever would start the same.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from doctor.root import root_of
from doctor.source.process import Reader, command, end, started

_WITH_VALUE = frozenset({"--tag", "--format", "--fail-on", "--color", "--timeout", "--total-timeout"})
_ALONE = frozenset({"--no-cache", "--offline", "-q", "--quiet", "-v", "--verbose"})
_CONFIGURATIONS = ("doctor.toml", "pyproject.toml")

_readers: dict[tuple[str, ...], Reader] = {}


def read_ahead(words: Sequence[str]) -> None:
    """Start a reader when these words are a check of the source of one folder that nothing configures."""
    guess = _guessed(list(words))
    if guess is not None:
        _readers[guess] = started(guess)


def taken(words: tuple[str, ...]) -> Reader | None:
    """Return the reader that was started with this command, for whoever takes it first."""
    return _readers.pop(words, None)


def end_all() -> None:
    """End what nobody has taken."""
    while _readers:
        end(_readers.popitem()[1])


def _guessed(words: list[str]) -> tuple[str, ...] | None:
    paths = []
    rest = iter(words[1:] if words[:1] == ["check"] else words)
    tags = []
    for word in rest:
        name, _, value = word.partition("=")
        if name in _WITH_VALUE:
            value = value or next(rest, "")
            tags += [value] if name == "--tag" else []
        elif word.startswith("-") and word not in _ALONE:
            return None
        elif not word.startswith("-"):
            paths.append(word)
    if len(paths) > 1 or (tags and "static" not in tags):
        return None
    return _command(*paths, cache="--no-cache" not in words)


def _command(path: str = ".", *, cache: bool) -> tuple[str, ...] | None:
    try:
        place = Path(path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # the command itself says what is wrong with it
        return None
    if not place.is_dir() and place.suffix != ".py":
        return None  # the command may refuse it, and then nothing is to be kept
    root = root_of((place,))
    if any(os.path.lexists(folder / name) for folder in (root, *root.parents) for name in _CONFIGURATIONS):
        return None  # it may say that the source is elsewhere
    return command(root, root / ".doctor" / "cache" if cache else None)
