"""A real PostgreSQL with one table of notes, and a stand-in for the model server."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

import doctor.retrying
from tests.backfill.repair import Repair, repairing
from tests.backfill.stand_in import DIMENSIONS, StandIn, serving, vector_of
from tests.index.conftest import Line, line
from tests.resources.conftest import Postgres, database_url, postgres

__all__ = ["Line", "Postgres", "database_url", "line", "postgres"]

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds in which a fact must come about, on however busy a machine."""

LONGEST = 120
"""Seconds after which a test that hangs is ended."""

TABLE = "CREATE TABLE notes (id {key} PRIMARY KEY, content text, embedding vector({dimensions}))"


class Notes:
    """The table: its rows, who may do what, and what stands in it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def make(self, rows: int, key: str = "bigint", value: str = "n") -> None:
        """Make the table anew with so many texts and no vector; ``value`` is the key of row ``n``."""
        self.execute("DROP TABLE IF EXISTS notes")
        self.execute(TABLE.format(key=key, dimensions=DIMENSIONS))
        self.execute(f"INSERT INTO notes SELECT {value}, 'text ' || n FROM generate_series(1, {rows}) AS n")

    def missing(self) -> list[str]:
        """Return the texts whose vector is NULL."""
        return [text for (text,) in self.execute("SELECT content FROM notes WHERE embedding IS NULL ORDER BY id")]

    def stale(self) -> list[str]:
        """Return the texts whose vector is that of another text."""
        rows = self.execute("SELECT content, embedding::text FROM notes WHERE embedding IS NOT NULL")
        return [text for text, vector in rows if [float(x) for x in vector[1:-1].split(",")] != vector_of(text)]

    def own_tables(self) -> list[str]:
        """Return the tables that the doctor has made."""
        return [
            name
            for (name,) in self.execute("SELECT relname FROM pg_class WHERE relname ~ '^doctor_' AND relkind = 'r'")
        ]


async def until(fact: Callable[[], T], working: asyncio.Task[Any]) -> T:
    """Wait until something is so while a repair goes on, and return it; a repair that has failed says why."""
    deadline = time.monotonic() + PATIENCE
    while not (found := fact()):
        if working.done():
            raise AssertionError(f"the repair ended before: {working.result()}")
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)
    return found


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """End a test that hangs, wherever it waits."""

    def end(*_: Any) -> None:
        raise AssertionError(f"the test did not end in {LONGEST} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def notes(database_url: str) -> Notes:
    made = Notes(database_url)
    made.execute("CREATE EXTENSION vector")
    return made


@pytest.fixture
def model() -> Iterator[StandIn]:
    with serving() as stand_in:
        yield stand_in


@pytest.fixture
async def repair(notes: Notes, model: StandIn, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Open a repair, each from a folder of its own, as on machines of their own."""
    async with AsyncExitStack() as stack:
        number = 0

        async def open_one(*, shared: bool = True, url: str = "", name: str = "") -> Repair:
            nonlocal number
            number += 1
            journal = tmp_path / (name or f"{number}.jsonl")
            return await stack.enter_async_context(repairing(url or notes.url, model.url, journal, shared=shared))

        yield open_one


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pauses be short where the outage of a test does not end by itself."""
    monkeypatch.setattr(doctor.retrying, "FIRST_PAUSE", 0.01)
