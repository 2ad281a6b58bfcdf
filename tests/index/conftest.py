"""A real PostgreSQL with one table of notes, and an index repair as ``doctor fix`` makes it, without the rest."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from doctor import index_building
from doctor.fix import Fix, FixContext, Limits, Plan, Writers
from doctor.index_parameters import IndexParameters
from doctor.journal import Journal, in_reverse
from doctor.model import Secret
from doctor.resources.database import Database
from doctor.writers import DatabaseWriter, Undo
from tests.resources.conftest import Postgres, database_url, postgres

__all__ = ["Postgres", "database_url", "postgres"]

TABLE = "public.notes"
NAME = "public.notes_embedding_hnsw_cosine"
INDEXES = """
    SELECT x.relname, i.indisvalid AND i.indisready AND i.indislive, pg_get_indexdef(i.indexrelid)
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am a ON a.oid = x.relam
    WHERE a.amname = 'hnsw' ORDER BY 1
"""
BACKEND_KEY = b"K\0\0\0\x0c"
"""What stands before the number of a session in the protocol (BackendKeyData)."""

BUILDER = "SELECT pid FROM pg_stat_progress_create_index WHERE phase ~ %s"


class Notes:
    """The table, seen by its owner."""

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def make(self, rows: int, dimensions: int = 8) -> None:
        """Fill the table with so many vectors, each in a direction of its own."""
        self.execute(f"CREATE TABLE notes (id int PRIMARY KEY, kind int, embedding vector({dimensions}))")
        self.execute(
            f"INSERT INTO notes SELECT n, n % 2, (array_fill(n, ARRAY[{dimensions // 2}])"
            f" || array_fill(1, ARRAY[{dimensions - dimensions // 2}]))::vector FROM generate_series(1, {rows}) AS n"
        )
        self.execute("ANALYZE notes")

    def indexes(self) -> dict[str, bool]:
        """Return each vector index, and whether it is usable."""
        return {name: usable for name, usable, _ in self.execute(INDEXES)}

    def definition(self, name: str) -> str:
        """Return how an index is defined."""
        return next(text for found, _, text in self.execute(INDEXES) if found == name)

    async def builder(self, phase: str) -> int:
        """Wait until a build has come to a phase; return its process."""
        async with asyncio.timeout(20):
            while not (found := await asyncio.to_thread(self.execute, BUILDER, phase)):
                await asyncio.sleep(0.01)
        return int(found[0][0])


@pytest.fixture
def notes(database_url: str) -> Notes:
    made = Notes(database_url)
    made.execute("CREATE EXTENSION vector")
    return made


@dataclass
class Repair:
    """One repair, with a journal of its own."""

    database: Database
    journal: Journal
    progress: Callable[[str], None] = lambda _line: None
    parameters: IndexParameters = field(default_factory=IndexParameters)

    async def plan(self, fix: Fix, **arguments: Any) -> tuple[FixContext, Plan]:
        context = FixContext(
            finding=None,  # type: ignore[arg-type]  # the repair reads its arguments only
            arguments={"table": TABLE, "column": "embedding", **arguments},
            limits=Limits(),
            resources={"database": self.database, "index_parameters": self.parameters},
        )
        return context, await fix.plan(context)

    async def make(self, fix: Fix, **arguments: Any) -> str:
        return await self.apply(fix, *await self.plan(fix, **arguments))

    async def apply(self, fix: Fix, context: FixContext, plan: Plan) -> str:
        nothing: Any = None
        writer = DatabaseWriter(self._open, self.journal)
        return await fix.apply(context, plan, Writers(nothing, writer, nothing, nothing, self.progress))

    async def undo(self) -> list[str]:
        """Take back what the journal holds; return what was done."""
        undo = Undo(Path.cwd(), self.journal, self._open)
        return [done for entry in in_reverse(self.journal.entries()) if (done := await undo.revert(entry))]

    async def _open(self) -> Database:
        return self.database


@pytest.fixture
async def repair(notes: Notes, tmp_path: Path) -> AsyncIterator[Repair]:
    database = Database(Secret(notes.url), origin="test")
    yield Repair(database, Journal(tmp_path / "journal.jsonl"))
    await database.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waits for locks be short where they must fail."""
    monkeypatch.setattr(index_building, "LOCK_TIMEOUT", "200ms")
    monkeypatch.setattr(index_building, "DROP_LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(index_building, "RECENT", 0.05)
    monkeypatch.setattr("doctor.retrying.FIRST_PAUSE", 0.01)


class Line:
    """A stand-in for what lies between client and server: it passes bytes on, until it is cut.

    A ``pooler`` gives each client a number of its own for its session, as a pooler does.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.pooler = False
        self.refused = 0
        """How many of the next clients are hung up on."""
        self._server_port = port
        self._writers: list[asyncio.StreamWriter] = []
        """The client's and the server's side of each connection, in turns."""
        self._unaware: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client with the server."""
        if self.refused:
            self.refused -= 1
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._writers += [writer, back]
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                number = data.find(BACKEND_KEY) + len(BACKEND_KEY)
                if self.pooler and number >= len(BACKEND_KEY):
                    data = data[:number] + b"\0\0\0\x07" + data[number + 4 :]
                sink.write(data)
                await sink.drain()
        if sink not in self._unaware:
            sink.close()

    def cut(self) -> None:
        """Lose every connection to the client; the server's side hears nothing of it."""
        self._unaware.update(self._writers[1::2])
        for client in self._writers[::2]:
            client.transport.abort()


@pytest.fixture
async def line(notes: Notes) -> AsyncIterator[Line]:
    made = Line(int(psycopg.conninfo.conninfo_to_dict(notes.url)["port"] or 0))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    for writer in made._writers:
        writer.transport.abort()
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


@pytest.fixture
async def repair_by_line(notes: Notes, line: Line, tmp_path: Path) -> AsyncIterator[Repair]:
    url = re.sub(r":\d+/", f":{line.port}/", notes.url)
    database = Database(Secret(url), origin="test")
    yield Repair(database, Journal(tmp_path / "journal.jsonl"))
    await database.close()
