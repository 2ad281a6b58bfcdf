"""Facts that are kept between runs, in ``.doctor/cache`` of the target.

Whoever can write into the target's folder could put a file there, and unpickling a foreign file runs its code. So each
file is sealed with a key that lies in the user's own cache folder, out of the target's reach: what this user's doctor
has not written, as it stands, is not read at all. What is unpickled then may name only the package's fact classes.
The seal also covers the doctor's code and the version of Python, so other facts are never taken for these.

Nothing here raises: a file that is torn, foreign, tampered with or of another version is no file, and where nothing can
be written nothing is kept.
"""

from __future__ import annotations

import errno
import hmac
import io
import os
import pickle
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from doctor import __version__

FOLDER = "cache"
"""Inside ``.doctor``."""

MAX_BYTES = 64_000_000
"""A larger file is neither written nor read: about ten times what 4,000 files need."""

ABANDONED = 600.0
"""Seconds after which nobody is still writing a file."""

KEY_BYTES = 32
SEAL_BYTES = 32

_PACKAGE = Path(__file__).absolute().parents[1]
_CODE = ("source", "file_names.py", "redaction.py", "redaction_rules.py")
"""What the facts of a file depend on, besides the file."""


class FactCache:
    """The files of one target under ``folder`` (None: nothing is kept)."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._key = None if folder is None else _user_key()

    @property
    def is_on(self) -> bool:
        """Whether anything can be kept."""
        return self._key is not None

    def load(self, name: str) -> bytes | None:
        """Return what was saved under a name; None for anything else."""
        if self._folder is None or self._key is None:
            return None
        content = _regular_file(self._folder / name, MAX_BYTES)
        if content is None or not hmac.compare_digest(content[:SEAL_BYTES], self._seal(name, content[SEAL_BYTES:])):
            return None
        return content[SEAL_BYTES:]

    def save(self, name: str, payload: bytes) -> None:
        """Keep ``payload`` under a name, in one step, for this user alone; do nothing where that is impossible."""
        if self._folder is None or self._key is None or len(payload) > MAX_BYTES - SEAL_BYTES:
            return
        partial = self._folder / f"{name}.{os.urandom(4).hex()}.partial"
        try:
            _prepare(self._folder)
            _sweep(self._folder)
            with _new_file(partial) as file:
                file.write(self._seal(name, payload))
                file.write(payload)
            partial.replace(self._folder / name)
        except OSError:
            with suppress(OSError):
                partial.unlink()

    def _seal(self, name: str, payload: bytes) -> bytes:
        seal = blake2b(payload, key=self._key or b"", digest_size=SEAL_BYTES)
        seal.update(code_fingerprint())
        seal.update(name.encode())
        return seal.digest()


@cache
def code_fingerprint() -> bytes:
    """Return a hash of everything that decides which facts a file gives: this package's code, and Python."""
    found = blake2b(f"{__version__} {sys.version} {sys.implementation.cache_tag}".encode(), digest_size=SEAL_BYTES)
    for part in _CODE:
        path = _PACKAGE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found.update(b"\0" + file.relative_to(_PACKAGE).as_posix().encode() + b"\0" + file.read_bytes())
    return found.digest()


def loads(payload: bytes) -> Any:
    """Return what was pickled, made of plain values and the fact classes of this package.

    Raises:
        pickle.UnpicklingError: it names anything else. Other errors: it is no pickle.
    """
    return _FactsOnly(io.BytesIO(payload)).load()


class _FactsOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("datetime", "date"):
            return super().find_class(module, name)
        if module.startswith("doctor.source.") and "." not in name:
            found = super().find_class(module, name)
            if (
                isinstance(found, type)
                and found.__module__ == module
                and (is_dataclass(found) or issubclass(found, _PLAIN))
            ):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no class of facts")


_PLAIN = (Enum, tuple)
"""Enumerations and named tuples, which have no code of their own either."""


def _user_key() -> bytes | None:
    """Return this user's key, made when there is none yet; None where none can be kept."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = (Path(base) if base.startswith("/") else Path("~/.cache").expanduser()) / "doctor"
        path = folder / "key"
        return _private_key(path) or _new_key(folder, path)
    except (OSError, RuntimeError):  # RuntimeError: nobody knows where home is
        return None


def _private_key(path: Path) -> bytes | None:
    """Return a key that nobody else can have read or put there."""
    try:
        state = path.lstat()
    except OSError:
        return None
    if state.st_uid != os.geteuid() or state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return None
    key = _regular_file(path, KEY_BYTES)
    return key if key is not None and len(key) == KEY_BYTES else None


def _new_key(folder: Path, path: Path) -> bytes | None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = folder / f"key.{os.urandom(4).hex()}.partial"
    try:
        with _new_file(partial) as file:
            file.write(os.urandom(KEY_BYTES))
        with suppress(FileExistsError):  # another run was quicker, and its key is as good
            os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return _private_key(path)


def _prepare(folder: Path) -> None:
    """Make the folder; ``.doctor`` above it ignores itself in git.

    Raises:
        OSError: it cannot be made, or is a link that may lead anywhere.
    """
    if folder.is_symlink() or folder.parent.is_symlink():
        raise OSError(errno.ELOOP, "is a link", str(folder))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ignore = folder.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def _sweep(folder: Path) -> None:
    """Remove what runs that were killed while they wrote have left behind."""
    for left in folder.glob("*.partial"):
        if left.lstat().st_mtime < time.time() - ABANDONED:
            left.unlink(missing_ok=True)


@contextmanager
def _new_file(path: Path) -> Iterator[io.BufferedWriter]:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


def _regular_file(path: Path, limit: int) -> bytes | None:
    """Return the content of a file, no link; None for anything else, or when it is longer than ``limit`` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            return file.read() if stat.S_ISREG(state.st_mode) and state.st_size <= limit else None
    except OSError:
        return None
