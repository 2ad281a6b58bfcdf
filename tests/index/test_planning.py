"""What is looked at before an index is built, and what is shown of it."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from doctor import index_preflight
from doctor.fix import NothingToDoError, Plan, RefusedError
from doctor.fixes.create_vector_index import CREATE_VECTOR_INDEX
from doctor.fixes.rebuild_vector_index import REBUILD_VECTOR_INDEX
from doctor.index_parameters import DEFAULT, Hnsw, IndexParameters, disk_needed, memory_needed
from doctor.index_planning import USUAL
from doctor.model import Secret
from doctor.resources.database import Database
from tests.index.conftest import Notes, Repair

INDEX = "notes_embedding_hnsw_cosine"
INVALID = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{}'::regclass"


def migration(plan: Plan) -> str:
    """Return the lines of the migration that a preview shows."""
    shown = plan.preview.partition("migration of Alembic:\n")[2].splitlines()
    return "\n".join(line.removeprefix("-- ") for line in shown if line.startswith("-- "))


@pytest.mark.parametrize("statement", ["INSERT INTO notes VALUES (-1, 0, NULL)", "SELECT FROM notes"])
async def test_a_transaction_that_is_long_open_is_named_before_anything_is_done(
    notes: Notes, repair: Repair, monkeypatch: pytest.MonkeyPatch, statement: LiteralString
):
    notes.make(50)
    with psycopg.connect(notes.url) as forgotten:
        forgotten.execute(statement)
        await repair.plan(CREATE_VECTOR_INDEX)  # one that is open for a moment is waited for
        monkeypatch.setattr(index_preflight, "OLD", 0.0)
        with pytest.raises(RefusedError, match=rf"wait for pid {forgotten.info.backend_pid} \(idle in transaction"):
            await repair.plan(CREATE_VECTOR_INDEX)
        forgotten.rollback()
    await repair.plan(CREATE_VECTOR_INDEX)


async def test_an_index_that_somebody_builds_is_waited_for(notes: Notes, repair: Repair):
    notes.make(50)
    theirs = "CREATE INDEX CONCURRENTLY theirs ON notes USING hnsw (embedding vector_l2_ops)"
    with psycopg.connect(notes.url) as holder:
        holder.execute("INSERT INTO notes VALUES (-1, 0, NULL)")
        work = asyncio.ensure_future(asyncio.to_thread(notes.execute, theirs))
        backend = await notes.builder("waiting for writers")
        with pytest.raises(RefusedError, match=f"pid {backend} builds an index on public.notes"):
            await repair.plan(CREATE_VECTOR_INDEX)
        holder.rollback()
    await work


@pytest.fixture
async def stranger(notes: Notes, repair: Repair) -> AsyncIterator[Repair]:
    """The repair of a role that owns nothing."""
    notes.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    parts = psycopg.conninfo.conninfo_to_dict(notes.url)
    url = f"postgresql://stranger:stranger@127.0.0.1:{parts['port']}/{parts['dbname']}"
    database = Database(Secret(url), origin="test")
    yield replace(repair, database=database)
    await database.close()
    notes.execute("DROP OWNED BY stranger")
    notes.execute("DROP ROLE stranger")


async def test_a_role_that_may_not_build_is_told_who_may(notes: Notes, stranger: Repair):
    notes.make(50)
    notes.execute("GRANT SELECT ON notes TO stranger")
    with pytest.raises(RefusedError, match=r"stranger does not own public\.notes: run as \w+, who does"):
        await stranger.plan(CREATE_VECTOR_INDEX)
    notes.execute("ALTER TABLE notes OWNER TO stranger")
    with pytest.raises(RefusedError, match="may create nothing in the schema"):
        await stranger.plan(CREATE_VECTOR_INDEX)
    notes.execute("GRANT CREATE ON SCHEMA public TO stranger")
    _, plan = await stranger.plan(CREATE_VECTOR_INDEX)
    assert "open transactions of other roles could not be looked for" in plan.estimate
    assert "how much disk is free cannot be known from here" in plan.estimate


async def test_a_session_that_only_reads_builds_nothing(notes: Notes, repair: Repair):
    notes.make(50)
    only_reads = "ALTER DATABASE %I SET default_transaction_read_only = on"
    notes.execute(f"DO $$ BEGIN EXECUTE format('{only_reads}', current_database()); END $$")
    with pytest.raises(RefusedError, match=r"only read \(default_transaction_read_only\): run as a role that may"):
        await repair.plan(CREATE_VECTOR_INDEX)


async def test_a_disk_without_room_for_twice_the_index_is_not_filled(
    notes: Notes, repair: Repair, monkeypatch: pytest.MonkeyPatch
):
    notes.make(50)
    monkeypatch.setattr(index_preflight, "_free", lambda _folder: 8_192)
    with pytest.raises(RefusedError, match="the disk of the server has 0 MB left"):
        await repair.plan(CREATE_VECTOR_INDEX)


async def test_a_build_gets_the_memory_that_holds_its_graph_as_far_as_it_may(notes: Notes, repair: Repair):
    notes.make(400, dimensions=2_000)
    notes.execute("ALTER SYSTEM SET maintenance_work_mem = '1MB'")
    notes.execute("SELECT pg_reload_conf()")
    try:
        _, free = await repair.plan(CREATE_VECTOR_INDEX)
        bound = replace(repair, parameters=IndexParameters(memory=2 << 20))
        _, less = await bound.plan(CREATE_VECTOR_INDEX)
        said = await bound.make(CREATE_VECTOR_INDEX)
    finally:
        notes.execute("ALTER SYSTEM RESET maintenance_work_mem")
        notes.execute("SELECT pg_reload_conf()")
    assert free.preview.splitlines()[:2] == [
        "-- less than a second for 400 rows, and 3 MB of disk",
        "SET maintenance_work_mem = '4MB';",
    ]
    assert "\n-- the graph needs 4 MB and gets 2, so about five times as long" in less.preview
    assert "\nSET maintenance_work_mem = '2MB';" in less.preview
    assert "hnsw graph no longer fits into maintenance_work_mem" in said


async def test_the_same_is_shown_as_a_migration(notes: Notes, repair: Repair):
    notes.make(50)
    _, plan = await repair.plan(CREATE_VECTOR_INDEX)
    (block,) = ast.parse(migration(plan)).body
    assert isinstance(block, ast.With)
    assert ast.unparse(block.body[0]) == (
        f"op.create_index('{INDEX}', 'notes', ['embedding'], schema='public', postgresql_using='hnsw', "
        "postgresql_with={'m': 16, 'ef_construction': 64}, postgresql_ops={'embedding': 'vector_cosine_ops'}, "
        "postgresql_concurrently=True, if_not_exists=True)"
    )


@pytest.fixture
def tablespace(notes: Notes) -> Iterator[str]:
    with psycopg.connect(notes.url, autocommit=True) as connection:
        connection.execute("SET allow_in_place_tablespaces = on")
        connection.execute("CREATE TABLESPACE side LOCATION ''")
    yield "side"
    notes.execute("DROP TABLE notes")
    notes.execute("DROP TABLESPACE side")


async def test_an_invalid_index_keeps_its_name_class_options_condition_and_tablespace(
    notes: Notes, repair: Repair, tablespace: str
):
    notes.make(50)
    notes.execute(
        'CREATE INDEX "by L2" ON notes USING hnsw (embedding vector_l2_ops) WITH (m = 5, ef_construction = 40)'
        f" TABLESPACE {tablespace} WHERE kind = 1"
    )
    notes.execute(INVALID.format('"by L2"'))
    meant = notes.definition("by L2")
    _, plan = await repair.plan(REBUILD_VECTOR_INDEX, index="public.by L2")
    assert 'DROP INDEX CONCURRENTLY public."by L2";' in plan.preview
    assert "nothing for a migration to change" in plan.preview
    await repair.make(REBUILD_VECTOR_INDEX, index="public.by L2")
    assert (notes.indexes(), notes.definition("by L2")) == ({"by L2": True}, meant)
    where = notes.execute("SELECT tablespace FROM pg_indexes WHERE indexname = 'by L2'")
    assert where == [("side",)]
    with pytest.raises(NothingToDoError):
        await repair.plan(REBUILD_VECTOR_INDEX, index="public.by L2")


async def test_an_invalid_index_for_another_distance_is_not_dropped_for_the_one_beside_it(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute("CREATE INDEX good ON notes USING hnsw (embedding vector_cosine_ops)")
    notes.execute("CREATE INDEX half ON notes USING hnsw (embedding vector_l2_ops)")
    notes.execute(INVALID.format("half"))
    await repair.make(REBUILD_VECTOR_INDEX, index="public.half")
    assert notes.indexes() == {"good": True, "half": True}


async def test_each_partition_gets_an_index_and_one_statement_makes_them_one(notes: Notes, repair: Repair):
    notes.execute("CREATE TABLE notes (id int, embedding vector(4)) PARTITION BY RANGE (id)")
    for number in range(3):
        bounds = f"FROM ({number * 10}) TO ({number * 10 + 10})"
        notes.execute(f"CREATE TABLE notes_{number} PARTITION OF notes FOR VALUES {bounds}")
    notes.execute("INSERT INTO notes SELECT n, '[1,2,3,4]' FROM generate_series(0, 29) AS n")
    named = ["public.notes_0", "public.notes_1"]
    await repair.make(CREATE_VECTOR_INDEX, partitions=named)
    assert list(notes.indexes()) == ["notes_0_embedding_hnsw_cosine", "notes_1_embedding_hnsw_cosine"]
    _, plan = await repair.plan(CREATE_VECTOR_INDEX)
    assert plan.touches == ("index public.notes_2_embedding_hnsw_cosine",)
    await repair.make(CREATE_VECTOR_INDEX)
    notes.execute(plan.preview.splitlines()[-1].removeprefix("-- "))
    assert len(notes.indexes()) == 4
    assert all(notes.indexes().values())


async def test_more_dimensions_than_an_index_holds_are_refused(notes: Notes, repair: Repair):
    notes.execute("CREATE TABLE notes (id int, embedding vector(3072))")
    with pytest.raises(RefusedError, match="write embedding::halfvec"):
        await repair.plan(CREATE_VECTOR_INDEX)


def test_estimates_are_those_that_were_measured():
    assert disk_needed(100_000, "vector", 384, 16) == pytest.approx(205e6, rel=0.02)
    assert disk_needed(1, "vector", 1_536, 16) == 8_192
    assert memory_needed(29_805, "vector", 384, 16) == pytest.approx(64 << 20, rel=0.02)


@pytest.mark.parametrize(("limit", "memory"), [("1048576\n", 1 << 20), ("max\n", None), (None, None)])
def test_a_container_has_no_more_memory_than_it_may_use(tmp_path: Path, limit: str | None, memory: int | None):
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(limit)
    assert index_preflight.machine_memory((file,)) == (memory or index_preflight.machine_memory(()))


def test_parameters_go_by_the_number_of_rows():
    parameters = IndexParameters()
    assert [parameters.of(rows).m for rows in (0, 1_000, 1_001, 100_000, 100_001)] == [16, 16, 32, 32, 48]
    assert IndexParameters(DEFAULT[:2]).of(10**9).m == 32


async def test_more_links_are_said_to_take_longer(notes: Notes, repair: Repair):
    notes.make(2_000)
    estimates = []
    for parameters in (USUAL, Hnsw(None, 48, 200)):
        _, plan = await replace(repair, parameters=IndexParameters((parameters,))).plan(CREATE_VECTOR_INDEX)
        estimates.append(plan.estimate.partition(" for ")[0])
    assert estimates == ["about 1 to 2 s", "about 6 to 19 s"]
