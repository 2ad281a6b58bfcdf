"""Finds the Python files of a target.

In a git checkout the answer of ``git ls-files`` is taken, so ``.gitignore`` means what git says it means; elsewhere,
or when the root itself is ignored or git is missing, the folders are walked and their ``.gitignore`` files are read.
Either way virtual environments, vendored trees, hidden folders and symbolic links are left out. A folder that cannot be
listed (locked, or its path too long for the system) stands in the place of its files: who reads it is told why.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from doctor.file_names import visible

if TYPE_CHECKING:
    from doctor.source.ignore import Ignored

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

_LEFT_OUT = b"warning: could not open directory"
"""What git says of each folder that it cannot list; the name behind it is cut where it is long."""


class Stamp(NamedTuple):
    """What the file system says of a file without reading it: any write changes it. Times are in nanoseconds."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, state: os.stat_result) -> Stamp:
        """Take the stamp of a file."""
        return cls(state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


UNSEEN = Stamp(0, 0, 0, 0)
"""The stamp of what the file system does not let be looked at; it is there to be read in vain, and reported."""


def python_files(root: Path) -> list[str]:
    """Return the :func:`visible` paths of the Python files under ``root``, with ``/``, sorted."""
    return list(stamped_files(root))


def stamped_files(root: Path) -> dict[str, Stamp]:
    """Return the Python files under ``root`` in order, by their :func:`visible` paths, each with its stamp.

    Among them, as :data:`UNSEEN`, are the folders that cannot be listed, and files whose path is too long.
    """
    listed, is_whole = _listed_by_git(root) if _in_checkout(root) else ([], False)
    allowed = _Allowed(root)
    found = [(path, stamp) for path in set(listed) if (stamp := allowed.file(path)) is not None]
    if not (found and is_whole):
        found += [one for one in _walked(str(root)) if one[1] is UNSEEN or not found]
    return dict(sorted((visible(path), stamp) for path, stamp in found))


def _is_foreign(name: str) -> bool:
    return name.startswith(".") or name in EXCLUDED_FOLDERS


class _Allowed:
    """Judges the files that git lists; remembers which folders are left out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, bool] = {"": True}

    def file(self, path: str) -> Stamp | None:
        """Return the stamp of a regular file, no link, in a folder that is not left out; None for anything else."""
        if not self.folder(path.rpartition("/")[0]):
            return None
        try:
            state = os.lstat(self.root / path)
        except OSError as error:
            return UNSEEN if _is_hidden(error) else None
        return Stamp.of(state) if stat.S_ISREG(state.st_mode) else None

    def folder(self, path: str) -> bool:
        """Tell whether this folder, and each above it up to the root, holds the target's own code."""
        if path not in self.folders:
            parent, _, name = path.rpartition("/")
            self.folders[path] = self.folder(parent) and not self._excluded(self.root / path, name)
        return self.folders[path]

    def _excluded(self, folder: Path, name: str) -> bool:
        try:
            if _is_foreign(name) or (name in BUILT_FOLDERS and not (folder / "__init__.py").exists()):
                return True
            return folder.is_symlink() or (folder / "pyvenv.cfg").exists()
        except OSError:  # a path too long for the system
            return False


def _walked(root: str) -> Iterator[tuple[str, Stamp]]:
    """Yield the files under a folder; without recursion, for folders may be nested as deep as they like."""
    pending: list[tuple[str, str, Ignored | None]] = [(root, "", None)]
    while pending:
        folder, prefix, ignored = pending.pop()
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            if prefix and _is_hidden(error):
                yield prefix.rstrip("/"), UNSEEN
            continue
        names = {entry.name for entry in entries}
        if prefix and ("pyvenv.cfg" in names or (_is_built(prefix) and "__init__.py" not in names)):
            continue
        if ".gitignore" in names:
            from doctor.source.ignore import Ignored  # brings a library along, which few trees need

            ignored = Ignored.read(folder, prefix, ignored)
        for entry in entries:
            path = prefix + entry.name
            if _is_kept_folder(entry):
                if ignored is None or not ignored.has(f"{path}/"):
                    pending.append((entry.path, f"{path}/", ignored))
            elif (stamp := _stamp(entry)) is not None and (ignored is None or not ignored.has(path)):
                yield path, stamp


def _is_kept_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) and not _is_foreign(entry.name)
    except OSError:
        return False


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    try:
        if entry.name.endswith(".py") and entry.is_file(follow_symlinks=False):
            return Stamp.of(entry.stat(follow_symlinks=False))
    except OSError as error:
        return UNSEEN if _is_hidden(error) else None
    return None


def _is_hidden(error: OSError) -> bool:
    """Whether something is there that the file system does not show, rather than gone in the meantime."""
    return error.errno in (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM)


def _is_built(prefix: str) -> bool:
    return prefix.rstrip("/").rpartition("/")[2] in BUILT_FOLDERS


def _in_checkout(root: Path) -> bool:
    absolute = root.absolute()
    return any((folder / ".git").exists() for folder in (absolute, *absolute.parents))


def _listed_by_git(root: Path) -> tuple[list[str], bool]:
    """Return the Python files that git lists, and whether it could look into every folder."""
    import subprocess  # only a checkout needs it

    # Inside a git hook GIT_DIR and GIT_INDEX_FILE would answer for another folder.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | {"LC_ALL": "C"}
    try:
        listing = subprocess.run(_GIT, cwd=root, env=environment, capture_output=True, timeout=GIT_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return [], False
    files = [os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]
    return files, _LEFT_OUT not in listing.stderr
