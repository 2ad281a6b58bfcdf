"""One holds the lock at a time, and after its block nobody does."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from doctor.pipeline.sandbox.locking import alone


@contextmanager
def processes_being_started() -> Iterator[None]:
    """Start processes all the time, each of which holds every open file for a moment."""
    stop = threading.Event()

    def start() -> None:
        while not stop.is_set():
            subprocess.run(["true"], check=True)

    with ExitStack() as ending:
        for _ in range(3):
            thread = threading.Thread(target=start)
            thread.start()
            ending.callback(thread.join)
        ending.callback(stop.set)
        yield


def test_a_lock_is_free_after_its_block_whoever_forks_meanwhile(tmp_path: Path) -> None:
    with processes_being_started():
        for _ in range(100):
            with alone(tmp_path / "lock") as only:
                assert only


def test_a_second_one_waits_in_vain(tmp_path: Path) -> None:
    with alone(tmp_path / "lock") as only, alone(tmp_path / "lock", patience=0.05) as second:
        assert only
        assert not second
