"""Finds the Python files of a target.

In a git checkout the answer of ``git ls-files`` is taken, so ``.gitignore`` means what git says it means; elsewhere, or
when the root itself is ignored, the folders are walked. Either way virtual environments, vendored trees, hidden folders
and symbolic links are left out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

EXCLUDED_FOLDERS = frozenset(
    {
        "__pycache__",
        "__pypackages__",
        "_vendor",
        "_vendored",
        "dist-packages",
        "node_modules",
        "site-packages",
        "third_party",
        "vendored",
        "venv",
        "virtualenv",
    }
)
"""Names of folders that hold other people's code; a folder with ``pyvenv.cfg`` is left out under any name."""

BUILT_FOLDERS = frozenset({"build", "dist"})
"""Copies made by a build, unless the folder is a package."""

GIT_TIMEOUT = 5.0
"""Seconds after which the folders are walked instead."""

_GIT = (
    "git",
    "-c",
    "core.fsmonitor=false",  # the only setting by which a foreign checkout could make ls-files run a program
    "ls-files",
    "-z",
    "--cached",
    "--others",
    "--exclude-standard",
    "--",
    "*.py",
)


def python_files(root: Path) -> list[str]:
    """Return the Python files under ``root``, relative to it, with ``/``, sorted. An unreadable folder has none."""
    listed = _listed_by_git(root) if _in_checkout(root) else []
    allowed = _Allowed(root)
    found = [path for path in listed if allowed.file(path)] or list(_walked(root, allowed))
    return sorted(set(found))


class _Allowed:
    """Remembers which folders are left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, bool] = {"": True}

    def file(self, path: str) -> bool:
        """Tell whether this is a regular file, no link, in a folder that is not left out."""
        if not self.folder(path.rpartition("/")[0]):
            return False
        try:
            return stat.S_ISREG(os.lstat(self.root / path).st_mode)
        except OSError:
            return False

    def folder(self, path: str) -> bool:
        """Tell whether this folder, and each above it up to the root, holds the target's own code."""
        if path not in self.folders:
            parent, _, name = path.rpartition("/")
            self.folders[path] = self.folder(parent) and not self._excluded(self.root / path, name)
        return self.folders[path]

    def _excluded(self, folder: Path, name: str) -> bool:
        if name.startswith(".") or name in EXCLUDED_FOLDERS:
            return True
        if name in BUILT_FOLDERS and not (folder / "__init__.py").exists():
            return True
        return folder.is_symlink() or (folder / "pyvenv.cfg").exists()


def _walked(root: Path, allowed: _Allowed) -> Iterator[str]:
    for folder, folders, files in os.walk(root, followlinks=False):
        relative = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if relative == "." else f"{relative}/"
        folders[:] = [name for name in folders if allowed.folder(prefix + name)]
        for name in files:
            if name.endswith(".py") and allowed.file(prefix + name):
                yield prefix + name


def _in_checkout(root: Path) -> bool:
    absolute = root.absolute()
    return any((folder / ".git").exists() for folder in (absolute, *absolute.parents))


def _listed_by_git(root: Path) -> list[str]:
    import subprocess  # only a checkout needs it

    # Inside a git hook GIT_DIR and GIT_INDEX_FILE would answer for another folder.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        listing = subprocess.run(_GIT, cwd=root, env=environment, capture_output=True, timeout=GIT_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]
