"""The plan for another number of dimensions is SQL that runs: the old vectors stay, search has its rows throughout."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from doctor.dimension_change import second_column
from doctor.model import Secret
from doctor.resources.catalog import VectorColumn, vector_columns
from doctor.resources.database import Database
from tests.resources.conftest import Postgres, database_url, postgres

__all__ = ["Postgres", "database_url", "postgres"]

TABLE = (
    "CREATE EXTENSION vector",
    'CREATE SCHEMA "a.b"',
    'CREATE TABLE "a.b"."Notes" (id int PRIMARY KEY, embedding vector(3) NOT NULL)',
    """INSERT INTO "a.b"."Notes" SELECT n, ARRAY[n, 1, 2]::vector FROM generate_series(1, 50) AS n""",
    'CREATE INDEX ON "a.b"."Notes" USING hnsw (embedding vector_l2_ops)',
)
COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
    WHERE attrelid = '"a.b"."Notes"'::regclass AND attnum > 1 ORDER BY attnum
"""
CHECKS = """SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = '"a.b"."Notes"'::regclass"""
INDEXED = """
    SELECT pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = '"a.b"."Notes"'::regclass AND indisvalid AND NOT indisprimary ORDER BY indexrelid DESC LIMIT 1
"""


@pytest.fixture
def connection(database_url: str):
    with psycopg.connect(database_url, autocommit=True) as made:
        for statement in TABLE:
            made.execute(statement)  # type: ignore[call-overload]
        yield made


async def column_of(url: str) -> VectorColumn:
    database = Database(Secret(url), origin="test")
    (column,) = await vector_columns(database)
    await database.close()
    return column


def statements(plan: str) -> list[list[str]]:
    """Return the statements of each step, without the comments."""
    steps: list[list[str]] = []
    for step in plan.split("-- ")[1:]:
        text = step.partition("\n")[2]
        whole = [text] if "$doctor$" not in text else [text[: (end := text.index("$doctor$;") + 9)], text[end:]]
        parts = [whole[0], *whole[1].split(";")] if len(whole) > 1 else text.split(";")
        steps.append([part.strip() for part in parts if part.strip()])
    return steps


async def test_the_plan_runs_and_neither_loses_nor_mixes_a_vector(connection, database_url: str) -> None:
    plan = second_column(await column_of(database_url), 4)
    add, fill, index, switch, *last = statements(plan)
    assert (len(add), fill, len(index), last) == (4, [], 1, [[], [], []])
    for statement in add:
        connection.execute(statement)
    with pytest.raises(psycopg.errors.RaiseException, match="fill them first"):
        connection.execute(switch[0])
    connection.execute("""UPDATE "a.b"."Notes" SET embedding_4 = ARRAY[id, 1, 2, 3]::vector""")
    for statement in (*index, *switch):
        connection.execute(statement)
    assert connection.execute(COLUMNS).fetchall() == [
        ("embedding_3", "vector(3)", False),
        ("embedding", "vector(4)", True),
    ]
    assert connection.execute(CHECKS).fetchone() == (0,)
    assert "USING hnsw (embedding vector_l2_ops)" in connection.execute(INDEXED).fetchone()[0]
    both = (
        """SELECT count(*) FROM "a.b"."Notes" WHERE embedding_3 = ARRAY[id, 1, 2]::vector AND embedding IS NOT NULL"""
    )
    assert connection.execute(both).fetchone() == (50,)
    assert plan.endswith('-- ALTER TABLE "a.b"."Notes" DROP COLUMN "embedding_3";\n')


@pytest.mark.parametrize(
    ("change", "wanted", "words"),
    [
        ({}, 3_072, "write embedding_3072::halfvec(3072) in the queries too"),
        ({"partitioned": True}, 4, "`doctor fix VEC001` goes from part to part"),
    ],
)
async def test_what_no_single_index_can_hold_is_said_in_its_place(
    connection, database_url, change, wanted, words
) -> None:
    plan = second_column(replace(await column_of(database_url), **change), wanted)
    assert words in plan
    assert "CREATE INDEX" not in plan


async def test_names_stay_within_what_postgresql_takes(connection, database_url: str) -> None:
    plan = second_column(replace(await column_of(database_url), column="ü" * 31), 4)
    assert f'ADD COLUMN "{"ü" * 30}_4"' in plan
