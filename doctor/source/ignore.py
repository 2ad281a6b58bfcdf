"""``.gitignore`` where git itself cannot be asked: in an unpacked archive, in an image, without git.

The patterns are matched by the library ``pathspec``; the nearest file that says anything about a path decides.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from doctor.source.libraries_path import use_libraries

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_BYTES = 1_000_000
"""A larger file of patterns is none that anybody wrote."""


class Ignored:
    """The patterns of one folder (``prefix``: its path from the root, with ``/``) and of those above it."""

    def __init__(self, spec: GitIgnoreSpec, prefix: str, above: Ignored | None) -> None:
        self.spec = spec
        self.prefix = prefix
        self.above = above

    @classmethod
    def read(cls, folder: str, prefix: str, above: Ignored | None) -> Ignored | None:
        """Read a folder's ``.gitignore``; one that cannot be read, or that is no such file, says nothing."""
        use_libraries()
        from pathspec import GitIgnoreSpec

        try:
            path = Path(folder, ".gitignore")
            if not path.is_file() or path.stat().st_size > MAX_BYTES:
                return above
            return cls(GitIgnoreSpec.from_lines(path.read_text("utf-8", "replace").splitlines()), prefix, above)
        except (OSError, ValueError):  # ValueError: a pattern that no git would understand either
            return above

    def has(self, path: str) -> bool:
        """Tell whether a path from the root is ignored; a folder's ends in ``/``."""
        verdict = self.spec.check_file(path[len(self.prefix) :]).include
        if verdict is not None or self.above is None:
            return bool(verdict)
        return self.above.has(path)
