"""A lock that one process holds at a time, and that ends with it, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.02


@contextlib.contextmanager
def alone(lock_file: Path, *, patience: float = 0.0) -> Iterator[bool]:
    """Hold the lock for the length of a block; false when another process holds it, after ``patience`` seconds too.

    Raises:
        OSError: the file cannot be written.
    """
    until = time.monotonic() + patience
    with lock_file.open("w") as file:
        while not _locked(file):
            if time.monotonic() > until:
                yield False
                return
            time.sleep(POLL_SECONDS)
        try:
            yield True
        finally:
            # Closing would not do: a process that another thread forks at this moment holds the file, too, until it
            # becomes another program.
            fcntl.flock(file, fcntl.LOCK_UN)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
