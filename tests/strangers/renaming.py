"""Gives an application other names: whole words in its files, and the names of its files and folders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

TEXTS = frozenset({".py", ".sql"})


def renamed(root: Path, names: Mapping[str, str]) -> None:
    """Rename everything below ``root``; other names must not be those of what the application uses."""
    words = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
    for path in (one for one in sorted(root.rglob("*")) if one.suffix in TEXTS):
        path.write_text(words.sub(lambda word: names[word[0]], path.read_text()))
    for path in sorted(root.rglob("*"), reverse=True):  # what is inside of a folder comes before it
        new = path.with_stem(names.get(path.stem, path.stem))
        if new != path:
            path.rename(new)
