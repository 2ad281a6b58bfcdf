"""The root of the project that a file belongs to: what its imports and its callers are looked for in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

MARKERS = ("doctor.toml", "pyproject.toml", ".git")
"""A folder that holds one of these is the root of a project."""


class NoCommonRootError(Exception):
    """The paths belong to no project that could be one target; the message says what to do."""


def marked_root(folder: Path) -> Path | None:
    """Return the nearest folder at or above a resolved one that has a marker, or None."""
    return next((each for each in (folder, *folder.parents) if _has_marker(each)), None)


def root_of(paths: Sequence[Path]) -> Path:
    """Return the folder to read for these paths: of one folder itself, otherwise the root of the project around them.

    Where nothing marks a root, it is the innermost folder around them.

    Raises:
        NoCommonRootError: they belong to different projects, or share no folder but that of the whole file system.
    """
    folders = [path if path.is_dir() else path.parent for path in (path.resolve() for path in paths)]
    common = Path(os.path.commonpath(folders))
    if len(paths) == 1 and paths[0].is_dir():
        return common
    root = marked_root(common)
    if root is None:
        _require_one_project(folders, common)
    return root or common


def _require_one_project(folders: Sequence[Path], common: Path) -> None:
    roots = sorted({root for folder in folders if (root := marked_root(folder)) is not None})
    if len(roots) > 1:
        first, second = roots[:2]
        raise NoCommonRootError(f"these paths belong to different projects ({first}, {second}); check them one by one")
    if len(folders) > 1 and common == Path(common.anchor):
        raise NoCommonRootError("these paths have no folder in common; check them one by one")


def _has_marker(folder: Path) -> bool:
    return any(os.path.lexists(folder / name) for name in MARKERS)
