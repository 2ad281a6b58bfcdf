"""Files in the syntax of a newer Python than the one that runs the doctor, read by way of LibCST.

LibCST is native code and slow to import, and the file may be anything: it works in a process of its own
(:mod:`doctor.source.older_syntax`), started for the first such file, with a deadline for each.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

TIMEOUT = 10.0
"""Seconds for one file, the start included; LibCST reads a megabyte in about 1.5 s."""

MAX_BYTES = 1_000_000
MAX_STARTS = 3
"""A helper that dies or hangs is replaced this often; then files keep their syntax errors."""

LENGTH = 8
"""Bytes of the length in front of each message, big-endian."""

_START = "import sys; sys.path.append(sys.argv.pop(1)); from doctor.source.older_syntax import serve; serve()"
_PACKAGE_FOLDER = str(Path(__file__).absolute().parents[2])


class NewerSyntax:
    """Rewrites files into syntax that every supported Python parses."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._owner = os.getpid()
        self.has_failed = False
        """Whether some file got no answer, so that another attempt may give one."""

    def older(self, content: bytes) -> bytes | None:
        """Return a file in older syntax, each line where it was; None when nothing in it is new, or it is no Python."""
        if len(content) > MAX_BYTES or (self._process is None and self._starts >= MAX_STARTS):
            return None
        try:
            return self._ask(content) or None
        except (OSError, EOFError, TimeoutError):
            self.has_failed = True
            self.close()
            return None

    def close(self) -> None:
        """End the helper."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.communicate()

    def _ask(self, content: bytes) -> bytes:
        deadline = time.monotonic() + TIMEOUT
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(len(content).to_bytes(LENGTH, "big") + content)
        process.stdin.flush()
        length = int.from_bytes(_exactly(process.stdout.fileno(), LENGTH, deadline), "big")
        return _exactly(process.stdout.fileno(), length, deadline)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():  # a forked process must not talk to its parent's helper
            self._process, self._owner = None, os.getpid()
        if self._process is None:
            self._starts += 1
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, _PACKAGE_FOLDER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


def _exactly(descriptor: int, length: int, deadline: float) -> bytes:
    found = b""
    while len(found) < length:
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        part = os.read(descriptor, length - len(found))
        if not part:
            raise EOFError
        found += part
    return found
