"""What the sandbox's copy of the application is now, as one number: it changes with any of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def code_digest(app: Path) -> str:
    """Return a digest of the names and contents of all Python files below a folder; empty when it is not there.

    Contents, not times: an edit within the same second counts, and one that is taken back does not. A few dozen small
    files take about a millisecond.
    """
    digest = hashlib.sha256()
    for path in sorted(app.rglob("*.py")):
        try:
            content = path.read_bytes()
        except OSError:
            # Replaced while we look: the next look sees it.
            continue
        digest.update(str(path.relative_to(app)).encode("utf-8", "surrogateescape") + b"\0")
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest() if app.is_dir() else ""
