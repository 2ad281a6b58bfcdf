"""The process that reads the source: how it is started, and how it ends. Imports next to nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_PACKAGE_FOLDER = str(Path(__file__).absolute().parents[2])
_START = "import sys; sys.path.append(sys.argv.pop(1)); from doctor.source.worker import main; sys.exit(main())"

Reader = subprocess.Popen[bytes]


def command(root: Path, cache: Path | None) -> tuple[str, ...]:
    """Return how the reader of ``root`` is called; it keeps facts in ``cache`` (None: nowhere).

    It runs isolated (``-I -S``): nothing of the target, and no module beside it, can be imported by accident.
    """
    folders = (root, *(() if cache is None else (cache,)))
    return (sys.executable, "-I", "-S", "-c", _START, _PACKAGE_FOLDER, *(str(folder.absolute()) for folder in folders))


def started(words: tuple[str, ...]) -> Reader:
    """Start a reader; what it prints is read from its pipes."""
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,  # so that the processes that help it end with it
    )


def end(reader: Reader) -> None:
    """End a reader and all that help it, whatever they do."""
    if reader.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(reader.pid, signal.SIGKILL)
    reader.wait()
    for stream in (reader.stdout, reader.stderr):
        if stream is not None:
            stream.close()
