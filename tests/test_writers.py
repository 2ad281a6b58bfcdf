"""What undo refuses, whatever a journal says, and what no writer leaves behind."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from doctor.canary import Canaries
from doctor.canary_record import CanaryRecord
from doctor.canary_rows import CanaryRows
from doctor.chain import Chain
from doctor.fix import RefusedError
from doctor.journal import FileChange, Journal, in_reverse
from doctor.model import Secret
from doctor.packed_vector import packed
from doctor.resources.database import Database
from doctor.writers import DatabaseWriter, Undo
from tests.resources.conftest import Postgres, database_url, postgres

__all__ = ["Postgres", "database_url", "postgres"]


async def no_database() -> Database:
    raise AssertionError("no step here needs a database")


async def revert(root: Path, **entry: Any) -> str | None:
    return await Undo(root, Journal(root / "journal.jsonl"), no_database).revert({"step": 0, **entry})


async def test_a_file_outside_of_the_target_is_left_alone(tmp_path: Path):
    outside, root = tmp_path / "outside.py", tmp_path / "target"
    outside.write_text("after\n")
    root.mkdir()
    (root / "link.py").symlink_to(outside)
    for path in ("../outside.py", str(outside), "link.py"):
        entry = FileChange.between(path, b"before\n", b"after\n").to_entry()
        with pytest.raises(RefusedError, match="lies outside the target"):
            await revert(root, **entry)
    assert outside.read_text() == "after\n"


async def test_a_step_without_what_it_needs_is_refused(tmp_path: Path):
    with pytest.raises(RefusedError, match="step without 'hunks'; undo leaves it alone"):
        await revert(tmp_path, kind="file", path="app.py")


async def test_a_kind_of_step_without_an_inverse_is_passed_over(tmp_path: Path):
    assert await revert(tmp_path, kind="published", task="t") is None


class Watched(Database):
    """Notes what is set for a session when its writer is done: behind a pooler the application would get it."""

    left_behind: set[str]

    @asynccontextmanager
    async def connect_for_writing(self, *, reused: bool = False) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with super().connect_for_writing(reused=reused) as connection:
            yield connection
            settings = await connection.execute("SELECT name FROM pg_settings WHERE source = 'session'")
            self.left_behind.update(name for (name,) in await settings.fetchall())


@pytest.fixture
async def watched(database_url: str) -> AsyncIterator[Watched]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA extensions")
        connection.execute("CREATE EXTENSION vector SCHEMA extensions")
        connection.execute("CREATE TABLE notes (id int PRIMARY KEY, content text, embedding extensions.vector(2))")
        connection.execute("CREATE TABLE wide (embedding extensions.vector(3))")
    database = Watched(Secret(database_url), origin="test")
    database.left_behind = set()
    yield database
    await database.close()


async def test_no_writer_leaves_a_setting_behind_for_whom_a_pooler_gives_the_session_to(
    watched: Watched, tmp_path: Path
):
    async def opened() -> Database:
        return watched

    journal = Journal(tmp_path / "journal.jsonl")
    writer = DatabaseWriter(opened, journal)
    await writer.insert_row("public.notes", {"id": 1, "content": "[c-00] one"}, ["id"])
    await writer.update_row("public.notes", {"id": 1}, {"content": "[c-00] one"}, {"content": "[c-00] two"})
    await writer.retype_vectors("public.wide", "embedding", 3, 2)
    row = (1, hashlib.sha256(b"[c-00] two").digest(), packed([1.0, 2.0]))
    assert await writer.fill_vectors("public.notes", "id", "embedding", "content", [row]) == 1
    undo = Undo(tmp_path, journal, opened)
    assert [await undo.revert(entry) for entry in in_reverse(journal.entries())] == [
        "1 vector of public.notes emptied",
        "public.wide.embedding has 3 dimensions again",
        "1 row of public.notes restored",
        "1 row of public.notes removed",
    ]
    await writer.insert_row("public.notes", {"id": 2, "content": "[c-00] one"}, ["id"])
    record = CanaryRecord(Canaries("c", 1, 1), datetime.now(UTC))
    async with CanaryRows.of(watched, Chain(entry="", message_table="notes", stages=()), record) as rows:
        assert (await rows.remove()).rows == {"public.notes": 1}
    assert watched.left_behind == set()
