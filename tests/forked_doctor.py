"""The doctor in a process of its own, forked from one that has imported it: to start Python takes longer than a call.

It is a call of ``tests.command_line`` in everything else: arguments, folder, environment and streams are its own, and
it ends as the command does. What the start itself does belongs to tests that start Python.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import doctor
from tests.command_line import DEADLINE, command, environment

LATE = ("httpx", "nats", "pgvector.psycopg", "psycopg.sql", "psycopg.conninfo", "psycopg.types.numeric", "rich.console")
"""What the doctor imports when it is first used."""


@dataclass(slots=True)
class ForkedDoctor:
    """Makes one call after another; :meth:`end` ends the process from which they are forked."""

    _process: subprocess.Popen[str] | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def run(self, *words: str, cwd: Path, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Call ``doctor`` and return what became of it."""
        with self._one_at_a_time, TemporaryDirectory() as folder:
            streams = [Path(folder) / "stdout", Path(folder) / "stderr"]
            call = [words, str(cwd), environment(**(extra or {})), *map(str, streams)]
            requests, answers = self._pipes()
            requests.write(json.dumps(call) + "\n")
            requests.flush()
            overdue = threading.Timer(DEADLINE, os.kill, (int(answers.readline()), signal.SIGKILL))
            overdue.start()
            code = int(answers.readline())
            if overdue.finished.is_set():
                raise subprocess.TimeoutExpired(words, DEADLINE)
            overdue.cancel()
            output, errors = (stream.read_text(encoding="utf-8") for stream in streams)
        return subprocess.CompletedProcess(command(*words), code, output, errors)

    def end(self) -> None:
        """End the process that has imported everything."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.forked_doctor"],
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout


FORKED = ForkedDoctor()
"""The one of this process; it ends with the session of the tests."""

run = FORKED.run


def import_all() -> None:
    """Import the doctor with all its commands, checks, fixes and reports."""
    for module in pkgutil.walk_packages(doctor.__path__, "doctor."):
        if not module.name.startswith(("doctor.pipeline", "doctor.__main__")):
            importlib.import_module(module.name)
    for name in LATE:
        importlib.import_module(name)


def become(words: list[str], folder: str, variables: dict[str, str], output: str, errors: str) -> None:
    """Take on arguments, folder, environment and streams of a call."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv[1:] = words
    for number, path in enumerate((os.devnull, output, errors)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)


def serve() -> None:
    """Answer each call with the process that was forked for it and its exit code; returns only in that process."""
    import_all()
    gc.freeze()
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            become(*json.loads(line))
            return
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    sys.exit()


if __name__ == "__main__":
    serve()
    from doctor.main import run_command

    sys.exit(run_command())
