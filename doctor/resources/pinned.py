"""Which version of a package the target asks for, by its lists of requirements and its lock files."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import TypeAlias

Version: TypeAlias = tuple[int, ...]
"""The numbers of a release: ``2.15.1`` is ``(2, 15, 1)``."""

FILES = ("requirements*.txt", "requirements/*.txt", "constraints*.txt", "pyproject.toml", "uv.lock", "poetry.lock")
MAX_BYTES = 5_000_000
"""Of one file; the lock of a large project has about one million."""

_REQUIRED = r"(?<![\w-]){name}(?:\[[\w, -]*\])?\s*(?:===?|>=|~=)\s*(\d+(?:\.\d+)*)"
_LOCKED = r"name = \"{name}\"\s+version = \"(\d+(?:\.\d+)*)"


def least_version(root: Path, name: str) -> Version | None:
    """Return the lowest version of a package that a file in ``root`` lets in; None where none says."""
    pattern = re.compile(f"{_REQUIRED}|{_LOCKED}".replace("{name}", re.escape(name)), re.IGNORECASE)
    found = chain.from_iterable(pattern.findall(_text(path)) for file in FILES for path in root.glob(file))
    return min((tuple(map(int, (one or other).split("."))) for one, other in found), default=None)


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(MAX_BYTES)
    except OSError:
        return ""
