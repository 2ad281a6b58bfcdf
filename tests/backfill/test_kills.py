"""One of four workers is killed at any moment, twenty times: nothing is lost, nothing is stale, nothing is paid twice.

The workers are processes of their own with journals of their own, as on four machines. An application changes texts
meanwhile. Exactly one exception from "nothing twice" is allowed: the batch that the killed worker had in hand.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from tests.backfill.conftest import Notes
from tests.backfill.repair import BATCH
from tests.backfill.stand_in import StandIn
from tests.command_line import PACKAGE_FOLDER

KILLS = 20
ROWS = 240
EDITABLE = 24
"""Rows that the application changes: the last ones by their key."""

PATIENCE = 30.0


class Nursery:
    """Starts workers quickly."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, notes: Notes, model: StandIn, folder: Path) -> int:
        folder.mkdir()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([notes.url, model.url, str(folder)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    command = [sys.executable, "-m", "tests.backfill.nursery"]
    process = subprocess.Popen(command, cwd=PACKAGE_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()


def test_a_worker_that_is_killed_costs_at_most_the_batch_in_its_hand(
    notes: Notes, model: StandIn, nursery: Nursery, tmp_path: Path
) -> None:
    moments = random.Random(20261125)
    model.seconds = 0.02
    cut_short = 0
    for number in range(KILLS):
        notes.make(ROWS)
        model.asked.clear()
        folders = [tmp_path / f"{number}-{worker}" for worker in range(4)]
        with application(notes, number) as edited:
            workers = [nursery.start(notes, model, folder) for folder in folders]
            await_first_text(model)
            time.sleep(moments.uniform(0, 0.25))
            victim = moments.randrange(4)
            with suppress(ProcessLookupError):
                os.kill(workers[victim], signal.SIGKILL)
            await_end(workers)
        survivors = [folder for at, folder in enumerate(folders) if at != victim]
        assert all((folder / "outcome").exists() for folder in survivors), number
        cut_short += not (folders[victim] / "outcome").exists()
        untouched = {f"text {row}" for row in range(1, ROWS - EDITABLE + 1)}
        assert not untouched & set(notes.missing()), number
        assert notes.stale() == [], number
        assert len(model.twice()) <= BATCH, (number, model.twice())
        assert notes.own_tables() == [], number
        assert journalled_twice(survivors) <= edited, number
    assert cut_short > KILLS / 2  # most moments were in the midst of the work


@contextmanager
def application(notes: Notes, seed: int) -> Iterator[set[str]]:
    """Change texts, and have them embedded anew, until the end of the block; yields the keys that were changed."""
    edited: set[str] = set()
    over = threading.Event()
    rows = random.Random(seed)

    def edit() -> None:
        with psycopg.connect(notes.url, autocommit=True) as connection:
            while not over.wait(0.01):
                key = rows.randint(ROWS - EDITABLE + 1, ROWS)
                edited.add(str(key))
                text = f"edit {rows.random()} of {key}"
                connection.execute("UPDATE notes SET content = %s, embedding = NULL WHERE id = %s", [text, key])

    editing = threading.Thread(target=edit)
    editing.start()
    try:
        yield edited
    finally:
        over.set()
        editing.join()


def await_first_text(model: StandIn) -> None:
    deadline = time.monotonic() + PATIENCE
    while not model.asked:
        assert time.monotonic() < deadline, "no worker has begun"
        time.sleep(0.001)


def await_end(workers: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "the workers do not end"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def journalled_twice(folders: list[Path]) -> set[str]:
    """Return the keys that stand in the journals of these folders more than once."""
    keys: Counter[str] = Counter()
    for folder in folders:
        for line in (folder / "journal.jsonl").read_text().splitlines():
            keys.update(key for key, _ in json.loads(line).get("rows", []))
    return {key for key, times in keys.items() if times > 1}
