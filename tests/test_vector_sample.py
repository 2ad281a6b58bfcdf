"""Vectors are measured on a real server, wherever the extension and the table lie and however they are called."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from doctor.model import Secret
from doctor.resources.catalog import vector_columns
from doctor.resources.database import Database
from doctor.vector_sample import vector_lengths, vector_sample
from tests.resources.conftest import Postgres, database_url, postgres

__all__ = ["Postgres", "database_url", "postgres"]

ELSEWHERE = (
    "CREATE SCHEMA extensions",
    "CREATE EXTENSION vector SCHEMA extensions",
    "CREATE TABLE notes (id int PRIMARY KEY, embedding extensions.vector(1000))",
    "INSERT INTO notes SELECT n, array_fill(n, ARRAY[1000])::extensions.vector FROM generate_series(0, 3) AS n",
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(Secret(database_url), origin="test")
    yield opened
    await opened.close()


def make(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


async def test_an_extension_outside_the_search_path_is_found(database: Database, database_url: str) -> None:
    make(database_url, *ELSEWHERE)
    (column,) = await vector_columns(database)
    sample = await vector_sample(database, column)
    assert (sample.vectors, sample.zeros, sample.padded) == (4, 1, 0)
    assert await vector_lengths(database, column) == {1000: 4}


async def test_a_percent_sign_in_a_name_is_a_percent_sign(database: Database, database_url: str) -> None:
    make(
        database_url,
        "CREATE EXTENSION vector",
        'CREATE TABLE "50% notes" (id int PRIMARY KEY, "e%mb" vector(3), embedding_model text)',
        "INSERT INTO \"50% notes\" VALUES (1, '[1,2,3]', 'a'), (2, '[0,0,0]', 'a')",
    )
    (column,) = await vector_columns(database)
    sample = await vector_sample(database, column)
    assert (sample.vectors, sample.zeros, sample.models) == (2, 1, ("a",))
