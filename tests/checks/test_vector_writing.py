"""Vectors are written in batches where there are none, and exactly these are taken back, whatever the key and type."""

from __future__ import annotations

import asyncio
import hashlib
import struct
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from doctor.fix import RefusedError
from doctor.journal import Journal
from doctor.packed_vector import packed
from doctor.target import Target
from doctor.writers import DatabaseWriter, Undo

KEYS = {
    "bigint": [1, 2, 3],
    "integer": [1, 2, 3],
    "uuid": [uuid.UUID(int=number) for number in (1, 2, 3)],
    "text": ["a", "it's", "{b}"],
    "character varying(20)": ["a", "b", "c,d"],
}
VECTORS = ([1.0, 2.0, 3.0], [0.5, -0.25, 4.0], [3.0, 0.0, 0.0])
CONTENT = "t.content"


def rows(keys: Sequence[Any]) -> list[tuple[Any, bytes, bytes]]:
    hashes = [hashlib.sha256(f"text of {key}".encode()).digest() for key in keys]
    return list(zip(keys, hashes, map(packed, VECTORS), strict=True))


@pytest.fixture
def table(pipeline, tmp_path):
    """Make a table, write into it, take it back, look at it; all on the real server."""

    class Table:
        journal = Journal(tmp_path / "journal.jsonl")

        def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
            with pipeline.connect() as connection:
                cursor = connection.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []

        def make(self, key: str, column: str, keys: Sequence[Any]) -> None:
            self.execute(f"CREATE TABLE made_here (id {key} PRIMARY KEY, content text, embedding {column})")
            for one in keys:
                self.execute("INSERT INTO made_here VALUES (%s, %s)", one, f"text of {one}")

        def fill(self, some: Sequence[tuple[Any, bytes, bytes]]) -> int:
            async def work() -> int:
                async with Target.at(pipeline.directory) as target:
                    writer = DatabaseWriter(partial(target.provide, "database"), self.journal)
                    return await writer.fill_vectors("public.made_here", "id", "embedding", CONTENT, some)

            return asyncio.run(work())

        def take_back(self, entry: dict[str, Any]) -> str | None:
            async def work() -> str | None:
                async with Target.at(pipeline.directory) as target:
                    return await Undo(target.root, self.journal, partial(target.provide, "database")).revert(
                        {**entry, "step": 1}
                    )

            return asyncio.run(work())

        def filled(self) -> int:
            return int(self.execute("SELECT count(embedding) FROM made_here")[0][0])

    made = Table()
    yield made
    made.execute("DROP TABLE made_here")


@pytest.mark.parametrize("column", ["vector(3)", "vector", "halfvec(3)"])
@pytest.mark.parametrize("key", KEYS)
def test_what_was_written_is_taken_back(table, key, column):
    table.make(key, column, KEYS[key])
    assert table.fill(rows(KEYS[key])) == 3
    assert table.execute("SELECT embedding::text FROM made_here ORDER BY id")[0] == ("[1,2,3]",)
    (entry,) = table.journal.entries()
    assert table.take_back(entry) == "3 vectors of public.made_here emptied"
    assert table.filled() == 0
    assert table.take_back(entry) is None


def test_a_text_that_changed_and_a_vector_that_is_there_are_left_alone(table):
    table.make("bigint", "vector(3)", KEYS["bigint"])
    table.execute("UPDATE made_here SET content = 'other' WHERE id = 1")
    table.execute("UPDATE made_here SET embedding = '[9,9,9]' WHERE id = 2")
    assert table.fill(rows(KEYS["bigint"])) == 1
    assert table.execute("SELECT id FROM made_here WHERE embedding = '[3,0,0]'") == [(3,)]


def test_a_vector_that_somebody_changed_since_stays(table):
    table.make("bigint", "vector(3)", KEYS["bigint"])
    table.fill(rows(KEYS["bigint"]))
    table.execute("UPDATE made_here SET embedding = '[9,9,9]' WHERE id = 2")
    with pytest.raises(RefusedError, match=r"1 vector of public\.made_here changed since"):
        table.take_back(table.journal.entries()[0])
    assert table.execute("SELECT id FROM made_here WHERE embedding IS NOT NULL") == [(2,)]


@pytest.mark.parametrize("column", ["vector(3)", "halfvec(3)"])
def test_a_vector_that_a_trigger_changes_is_taken_back_as_it_stands_there(table, column):
    table.make("bigint", column, KEYS["bigint"])
    table.execute("""
        CREATE FUNCTION made_here_normalised() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.embedding := l2_normalize(NEW.embedding); RETURN NEW; END $$
    """)
    table.execute(
        "CREATE TRIGGER n BEFORE UPDATE ON made_here FOR EACH ROW WHEN (OLD.embedding IS NULL) "
        "EXECUTE FUNCTION made_here_normalised()"
    )
    try:
        assert table.fill(rows(KEYS["bigint"])) == 3
        assert table.execute("SELECT embedding::text FROM made_here WHERE id = 3") == [("[1,0,0]",)]
        assert table.take_back(table.journal.entries()[0]) == "3 vectors of public.made_here emptied"
    finally:
        table.execute("DROP FUNCTION made_here_normalised CASCADE")


@pytest.mark.parametrize(
    ("said", "hashed"),
    [
        ({}, hashlib.md5(b"[1,2,3]", usedforsecurity=False)),
        ({"hashed": "binary"}, hashlib.md5(struct.pack(">HH3f", 3, 0, 1, 2, 3), usedforsecurity=False)),
    ],
)
def test_an_entry_of_an_earlier_version_is_taken_back_too(table, said, hashed):
    table.make("bigint", "vector(3)", KEYS["bigint"])
    table.execute("UPDATE made_here SET embedding = '[1,2,3]'")
    entry = {
        "kind": "vectors",
        "table": "public.made_here",
        "key": "id",
        "column": "embedding",
        "rows": [["1", hashed.hexdigest()], ["3", hashed.hexdigest()]],
        **said,
    }
    assert table.take_back(entry) == "2 vectors of public.made_here emptied"
    assert table.filled() == 1
