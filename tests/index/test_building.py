"""However a build ends, a valid index is left, or none, or the error says what is left."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, LiteralString

import psycopg
import pytest

from doctor import index_building
from doctor.fix import NothingToDoError, RefusedError
from doctor.fixes.create_vector_index import CREATE_VECTOR_INDEX
from doctor.fixes.rebuild_vector_index import REBUILD_VECTOR_INDEX
from doctor.index_building import IndexLeftBehindError
from doctor.resources.database import DatabaseUnreachable
from tests.index.conftest import Line, Notes, Repair

INDEX = "notes_embedding_hnsw_cosine"
WRITE: LiteralString = "INSERT INTO notes VALUES (-1, 0, NULL)"
SNAPSHOT: LiteralString = "SELECT count(*) FROM pg_class"

Hold = Callable[..., psycopg.Connection[Any]]


@pytest.fixture
def hold(notes: Notes) -> Iterator[Hold]:
    """Leave a transaction open."""
    with ExitStack() as stack:

        def open_one(statement: LiteralString, isolation: LiteralString = "READ COMMITTED") -> psycopg.Connection[Any]:
            connection = stack.enter_context(psycopg.connect(notes.url, autocommit=True))
            connection.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            connection.execute(statement)
            return connection

        yield open_one


def building(repair: Repair) -> asyncio.Task[str]:
    return asyncio.ensure_future(repair.make(CREATE_VECTOR_INDEX))


async def test_an_index_is_built_proved_and_taken_back(notes: Notes, repair: Repair):
    notes.make(6_000)
    assert "the planner uses it" in await repair.make(CREATE_VECTOR_INDEX)
    assert notes.indexes() == {INDEX: True}
    assert "m='32', ef_construction='128'" in notes.definition(INDEX)
    with pytest.raises(NothingToDoError):
        await repair.plan(CREATE_VECTOR_INDEX)
    assert await repair.undo() == [f"index public.{INDEX} dropped"]
    assert notes.indexes() == {}


async def test_a_table_too_small_for_its_index_is_told_of(notes: Notes, repair: Repair):
    notes.make(50)
    assert "still reads the whole table" in await repair.make(CREATE_VECTOR_INDEX)


async def test_a_cancelled_repair_leaves_nothing(notes: Notes, repair: Repair, hold: Hold):
    notes.make(50)
    holder = hold(SNAPSHOT, "REPEATABLE READ")
    told = asyncio.Event()
    waits = f"building public.{INDEX}: waiting for old snapshots, pid {holder.info.backend_pid}"
    repair.progress = lambda line: told.set() if line == waits else None
    work = building(repair)
    await asyncio.wait_for(told.wait(), 20)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert notes.indexes() == {}


async def test_being_told_twice_to_stop_leaves_nothing_either(notes: Notes, repair: Repair, hold: Hold):
    notes.make(50)
    hold(SNAPSHOT, "REPEATABLE READ")
    work = building(repair)
    await notes.builder("waiting for old snapshots")
    work.cancel()
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert notes.indexes() == {}


async def test_a_build_that_somebody_cancels_on_the_server_leaves_nothing(notes: Notes, repair: Repair, hold: Hold):
    notes.make(50)
    hold(SNAPSHOT, "REPEATABLE READ")
    work = building(repair)
    notes.execute("SELECT pg_cancel_backend(%s)", await notes.builder("waiting for old snapshots"))
    with pytest.raises(psycopg.errors.QueryCanceled):
        await work
    assert notes.indexes() == {}


async def test_a_connection_lost_in_mid_statement_leaves_nothing(notes: Notes, repair: Repair, hold: Hold):
    notes.make(50)
    hold(SNAPSHOT, "REPEATABLE READ")
    work = building(repair)
    notes.execute("SELECT pg_terminate_backend(%s)", await notes.builder("waiting for old snapshots"))
    with pytest.raises(DatabaseUnreachable):
        await work
    assert notes.indexes() == {}


async def test_a_build_that_goes_on_after_its_connection_broke_is_ended(
    notes: Notes, repair_by_line: Repair, line: Line, hold: Hold, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(index_building, "LOCK_TIMEOUT", "0")  # it would wait for ever
    notes.make(50)
    hold(SNAPSHOT, "REPEATABLE READ")
    work = building(repair_by_line)
    await notes.builder("waiting for old snapshots")
    line.cut()
    with pytest.raises(DatabaseUnreachable):
        await work
    assert notes.indexes() == {}


async def test_a_server_that_is_away_for_a_moment_is_waited_for(
    notes: Notes, repair_by_line: Repair, line: Line, hold: Hold, impatient: None
):
    notes.make(50)
    hold(SNAPSHOT, "REPEATABLE READ")
    work = building(repair_by_line)
    await notes.builder("waiting for old snapshots")
    line.refused = 2
    line.cut()
    with pytest.raises(DatabaseUnreachable):
        await work
    assert line.refused == 0
    assert notes.indexes() == {}


async def test_undo_ends_the_build_that_a_killed_doctor_has_left_running(
    notes: Notes, repair: Repair, repair_by_line: Repair, line: Line, hold: Hold, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(index_building, "clear_up", killed)
    notes.make(50)
    hold(SNAPSHOT, "REPEATABLE READ")
    work = building(repair_by_line)
    await notes.builder("waiting for old snapshots")
    line.cut()
    with pytest.raises(KilledError):
        await work
    assert notes.indexes() == {INDEX: False}
    assert await repair.undo() == [f"index public.{INDEX} dropped"]
    assert notes.indexes() == {}


class KilledError(Exception):
    """Stands for the death of the process: nothing is cleaned up by who is dead."""


async def killed(*_: object) -> bool:
    raise KilledError


async def test_workers_that_find_too_little_shared_memory_are_done_without(notes: Notes, repair: Repair, hold: Hold):
    notes.make(300, dimensions=2_000)
    notes.execute("ALTER TABLE notes SET (parallel_workers = 2)")
    holder = hold(WRITE)
    told: list[str] = []
    repair.progress = told.append
    work = building(repair)
    backend = await notes.builder("waiting for writers")
    resource.prlimit(backend, resource.RLIMIT_FSIZE, (17 << 20, 17 << 20))
    holder.rollback()
    await work
    assert any("too little shared memory for several workers" in line for line in told)
    assert notes.indexes() == {INDEX: True}


async def test_a_pooler_in_between_is_recognised_before_anything_is_built(
    notes: Notes, repair_by_line: Repair, line: Line
):
    notes.make(50)
    line.pooler = True
    with pytest.raises(RefusedError, match="a pooler stands before the database"):
        await repair_by_line.make(CREATE_VECTOR_INDEX)
    assert repair_by_line.journal.entries() == []


async def test_an_index_is_not_dropped_by_way_of_a_pooler_either(notes: Notes, repair_by_line: Repair, line: Line):
    notes.make(50)
    await repair_by_line.make(CREATE_VECTOR_INDEX)
    line.pooler = True
    with pytest.raises(RefusedError, match="to drop an index needs a session of its own"):
        await repair_by_line.undo()
    line.pooler = False
    assert await repair_by_line.undo() == [f"index public.{INDEX} dropped"]


async def test_a_build_finds_pgvector_outside_of_the_search_path(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute("CREATE SCHEMA extensions")
    notes.execute("ALTER EXTENSION vector SET SCHEMA extensions")
    await repair.make(CREATE_VECTOR_INDEX)
    assert notes.indexes() == {INDEX: True}


async def test_a_build_blocked_by_an_idle_snapshot_names_it_and_leaves_nothing(
    notes: Notes, repair: Repair, hold: Hold, impatient: None
):
    notes.make(50)
    holder = hold(SNAPSHOT, "REPEATABLE READ")
    with pytest.raises(RefusedError, match=rf"did not end in time: pid {holder.info.backend_pid} \(idle in trans"):
        await repair.make(CREATE_VECTOR_INDEX)
    assert notes.indexes() == {}


async def test_a_build_whose_way_became_free_is_tried_again(notes: Notes, repair: Repair, hold: Hold, impatient: None):
    notes.make(50)
    holder = hold(WRITE)
    repair.progress = lambda line: holder.rollback() if "what is left" in line else None
    await repair.make(CREATE_VECTOR_INDEX)
    assert notes.indexes() == {INDEX: True}


async def test_a_time_limit_of_the_database_does_not_end_a_build(notes: Notes, repair: Repair, hold: Hold):
    notes.make(50)
    notes.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 200', current_database()); END $$"
    )
    holder = hold(SNAPSHOT, "REPEATABLE READ")
    work = building(repair)
    backend = await notes.builder("waiting for old snapshots")
    query = "SELECT pid FROM pg_stat_activity WHERE pid = %s AND query_start < clock_timestamp() - interval '250 ms'"
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(notes.execute, query, backend):
            await asyncio.sleep(0.01)
    holder.rollback()
    await work
    assert notes.indexes() == {INDEX: True}


async def test_two_doctors_do_not_build_on_one_table(notes: Notes, repair: Repair):
    notes.make(50)
    with psycopg.connect(notes.url) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('doctor:index:public.notes', 0))")
        with pytest.raises(RefusedError, match=r"another doctor builds an index on public\.notes"):
            await repair.make(CREATE_VECTOR_INDEX)
    assert repair.journal.entries() == []


async def test_a_name_that_is_taken_is_left_to_whoever_has_it(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute(f"CREATE INDEX {INDEX} ON notes (kind)")
    with pytest.raises(RefusedError, match="exists already, and is not what is wanted"):
        await repair.make(CREATE_VECTOR_INDEX)
    assert repair.journal.entries() == []


async def test_an_index_that_became_valid_since_the_plan_is_left_alone(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute("CREATE INDEX half ON notes USING hnsw (embedding vector_l2_ops)")
    mark = "UPDATE pg_index SET indisvalid = {} WHERE indexrelid = 'half'::regclass"
    notes.execute(mark.format("false"))
    context, plan = await repair.plan(REBUILD_VECTOR_INDEX, index="public.half")
    notes.execute(mark.format("true"))
    with pytest.raises(RefusedError, match=r"public\.half is valid by now"):
        await repair.apply(REBUILD_VECTOR_INDEX, context, plan)
    assert notes.indexes() == {"half": True}


async def test_a_full_disk_leaves_nothing(notes: Notes, repair: Repair, hold: Hold):
    notes.make(2_200, dimensions=2_000)
    holder = hold(WRITE)
    work = building(repair)
    backend = await notes.builder("waiting for writers")
    resource.prlimit(backend, resource.RLIMIT_FSIZE, (17 << 20, 17 << 20))
    holder.rollback()
    with pytest.raises(psycopg.Error, match="could not extend file"):
        await work
    assert notes.indexes() == {}


async def test_what_cannot_be_dropped_is_told_of_and_undo_drops_it_later(
    notes: Notes, repair: Repair, hold: Hold, impatient: None
):
    notes.make(50)
    holder = hold("SELECT count(*) FROM notes", "REPEATABLE READ")
    with pytest.raises(IndexLeftBehindError, match="left behind"):
        await repair.make(CREATE_VECTOR_INDEX)
    assert notes.indexes() == {INDEX: False}
    holder.rollback()
    assert await repair.undo() == [f"index public.{INDEX} dropped"]
    assert notes.indexes() == {}
