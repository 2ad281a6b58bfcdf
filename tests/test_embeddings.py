"""Rows without a vector are counted on a real server, whatever stands in their other columns."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from doctor.chain import Chain, Stage, same_table
from doctor.chain_progress import left_behind
from doctor.embeddings import NO_CHAIN, embedding_counts
from doctor.model import Secret
from doctor.resources.catalog import vector_columns
from doctor.resources.database import Database
from tests.resources.conftest import Postgres, database_url, postgres

__all__ = ["Postgres", "database_url", "postgres"]

NOTES = (
    "CREATE EXTENSION vector",
    "CREATE TABLE notes (id int PRIMARY KEY, content text, score float, created_at timestamptz, embedding vector(3))",
    "INSERT INTO notes SELECT n, 'words', NULL, NULL, NULL FROM generate_series(1, 5) AS n",
    "INSERT INTO notes VALUES (6, 'words', NULL, now(), NULL), (7, 'words', 1, now() - interval '3 days', '[1,2,3]')",
)
"""Five rows without a time, a recent one, and an old one that is whole."""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in NOTES:
            connection.execute(statement)  # type: ignore[call-overload]
    opened = Database(Secret(database_url), origin="test")
    yield opened
    await opened.close()


def chain(table: str = "notes", *stages: Stage) -> Chain:
    return Chain(entry="", message_table=table, stages=stages)


async def test_a_row_without_a_time_counts_as_old(database: Database) -> None:
    (column,) = await vector_columns(database)
    counts = await embedding_counts(database, chain(), column)
    assert (counts.rows, counts.nulls, counts.old, counts.recent) == (7, 6, 5, 1)


async def test_without_a_chain_a_row_is_recent_for_ten_minutes(database: Database) -> None:
    async with database.connect_for_writing() as writer:
        await writer.execute("ALTER TABLE notes RENAME created_at TO inserted_at")
        await writer.execute("INSERT INTO notes VALUES (8, 'words', 1, now() - interval '11 minutes', NULL)")
        await writer.execute("INSERT INTO notes VALUES (9, 'words', 1, now() - interval '9 minutes', NULL)")
    (column,) = await vector_columns(database)
    counts = await embedding_counts(database, NO_CHAIN, column)
    assert (counts.old, counts.recent, counts.by_age) == (6, 2, True)


async def test_a_row_without_a_time_is_left_behind(database: Database) -> None:
    (left,) = await left_behind(database, chain("notes", Stage("scored", table="notes", column="score")))
    assert (left.rows, left.newest) == (5, "")


@pytest.mark.parametrize("name", ["notes", "public.notes", "Note", "public.Note"])
async def test_a_table_of_the_chain_is_found_by_any_of_its_names(database: Database, name: str) -> None:
    async with database.connect_for_writing() as writer:
        await writer.execute('CREATE TABLE "Note" (LIKE notes INCLUDING ALL)')
        await writer.execute('INSERT INTO "Note" SELECT * FROM notes')
    of_both = chain(
        name, Stage("scored", table=name, column="score"), Stage("embedded", table=name, column="embedding")
    )
    (left,) = await left_behind(database, of_both)
    assert left.rows == 5
    columns = [one for one in await vector_columns(database) if one.table == name.rpartition(".")[2]]
    counts = [await embedding_counts(database, of_both, one) for one in columns]
    assert [(one.stage, one.recent) for one in counts] == [("embedded", 0)]  # it has not passed the stage before


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("notes", "public.notes", True),
        ("public.notes", "notes", True),
        ("app.notes", "public.notes", False),
        ("notes", '"a.b".notes', True),
        ("b.notes", '"a.b".notes', False),
        ("Notes", "notes", False),
        (None, "notes", False),
    ],
)
def test_two_names_mean_one_table_with_or_without_its_schema(one: str | None, other: str, same: bool) -> None:
    assert same_table(one, other) is same
