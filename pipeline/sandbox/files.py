"""Files that another process reads while they are written: replaced as a whole, never half."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def replace_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a text file in one step: a reader sees the old or the new content.

    Raises:
        OSError: the folder cannot be written.
    """
    replace_bytes(path, text.encode("utf-8"), mode)


def replace_bytes(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file in one step, with these permissions."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, or nothing when the file is missing or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log; empty when there is none. Reads at most the last 64 KiB."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65_536))
            content = file.read()
    except OSError:
        return ""
    return "\n".join(content.decode("utf-8", "replace").splitlines()[-lines:])
