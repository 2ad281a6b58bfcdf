"""Model servers and databases fail in the midst of a backfill: no bad vector is written, and it goes on or says why."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
import pytest

import doctor.retrying
import doctor.writers
from doctor.fix import FixError, RefusedError
from doctor.resources.database import PermissionDenied
from tests.backfill.conftest import Line, Notes, Postgres, until
from tests.backfill.repair import BATCH
from tests.backfill.stand_in import Answer, StandIn, vector_of, vectors
from tests.backfill.test_sharing import role

Open = Callable[..., Awaitable[Any]]

ROWS = 100
BAD = "text 42"

OURS = "FROM pg_stat_activity WHERE application_name = 'doctor' AND datname = current_database()"
CUT = f"SELECT pg_terminate_backend(pid) {OURS}"
BLOCKED = f"SELECT pid {OURS} AND wait_event_type = 'Lock' AND query ~ 'UPDATE'"


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        ([1.0, 2.0], "2 dimensions in place of 8"),
        ([float("nan"), *range(7)], "not a number"),
        ([0.0] * 8, "a zero vector"),
        ([0.25] * 8, "the same value throughout"),
        ([1e39, *range(7)], "too large"),
    ],
)
async def test_a_vector_that_must_not_be_stored_is_not(
    notes: Notes, model: StandIn, repair: Open, vector: list[float], reason: str
) -> None:
    notes.make(ROWS)
    model.behaviour = lambda texts: vectors(*(vector if text == BAD else vector_of(text) for text in texts))
    outcome = await (await repair()).make()
    assert outcome.startswith("99 succeeded, 1 failed, 0 skipped; first error: row 42: ")
    assert reason in outcome
    assert notes.missing() == [BAD]
    assert notes.stale() == []


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.usefixtures("impatient")
async def test_a_text_that_the_server_does_not_take_is_left_out(
    notes: Notes, model: StandIn, repair: Open, status: int
) -> None:
    notes.make(ROWS)
    model.behaviour = lambda texts: Answer({"error": "too long"}, status) if BAD in texts else None
    assert (await (await repair()).make()).startswith("99 succeeded, 1 failed, 0 skipped; first error: row 42: ")
    assert notes.missing() == [BAD]
    assert model.twice() == []


async def test_a_busy_server_is_waited_for(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    refused: list[int] = []

    def busy(texts: Sequence[str]) -> Answer | None:
        if texts == ["doctor"] or len(refused) == 8:
            return None
        refused.append(len(texts))
        return Answer({"error": "slow down"}, 429, {"Retry-After": "0"})

    model.behaviour = busy
    assert await (await repair()).make() == "100 succeeded, 0 failed, 0 skipped"
    assert refused == [10] * 8  # no batch was halved for it
    assert model.twice() == []


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_breaks_down_ends_the_run_and_the_next_goes_on(
    notes: Notes, model: StandIn, repair: Open
) -> None:
    notes.make(ROWS)
    model.behaviour = lambda _texts: Answer({"error": "out of memory"}, 500) if len(model.asked) >= 50 else None
    with pytest.raises(FixError, match=r"keeps failing: .*500.*run again later \(50 succeeded, 0 failed, 0 skipped\)"):
        await (await repair()).make()
    assert len(notes.missing()) == 50
    model.behaviour = lambda _texts: None
    assert await (await repair()).make() == "50 succeeded, 0 failed, 0 skipped"
    assert notes.missing() == notes.stale() == model.twice() == notes.own_tables() == []


async def test_a_text_that_changes_while_it_is_embedded_gets_no_stale_vector(
    notes: Notes, model: StandIn, repair: Open
) -> None:
    notes.make(ROWS)

    def changing(texts: Sequence[str]) -> None:
        if BAD in texts:
            notes.execute("UPDATE notes SET content = 'changed' WHERE id = 42")

    model.behaviour = changing
    assert await (await repair()).make() == "100 succeeded, 0 failed, 0 skipped"
    assert notes.missing() == notes.stale() == []


async def test_no_lock_is_held_while_the_model_works(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    held: list[Any] = []
    locks = "SELECT mode FROM pg_locks WHERE relation = 'notes'::regclass AND pid <> pg_backend_pid()"

    def look(texts: Sequence[str]) -> None:
        held.extend(notes.execute(locks))

    model.behaviour = look
    await (await repair()).make(workers=1)
    assert held == []


async def test_a_row_that_the_database_refuses_costs_no_other_one(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    notes.execute("ALTER TABLE notes ADD CHECK (content <> 'text 42') NOT VALID")
    outcome = await (await repair()).make()
    assert outcome.startswith("99 succeeded, 1 failed, 0 skipped; first error: row 42: public.notes does not take it")
    assert notes.missing() == [BAD]
    assert model.twice() == []


@pytest.mark.usefixtures("impatient")
async def test_connections_that_are_lost_again_and_again_cost_nothing(
    notes: Notes, model: StandIn, repair: Open
) -> None:
    notes.make(ROWS)

    def cutting(texts: Sequence[str]) -> None:
        if texts != ["doctor"]:
            notes.execute(CUT)

    model.behaviour = cutting
    assert await (await repair()).make(workers=1) == "100 succeeded, 0 failed, 0 skipped"
    assert notes.missing() == notes.stale() == model.twice() == notes.own_tables() == []


@pytest.mark.usefixtures("impatient")
async def test_a_connection_lost_in_the_midst_of_a_write_is_made_good(
    notes: Notes, model: StandIn, repair: Open
) -> None:
    notes.make(ROWS)
    with psycopg.connect(notes.url) as application:
        application.execute("SELECT FROM notes WHERE id = 42 FOR UPDATE")
        working = asyncio.create_task((await repair()).make())
        waiting = await until(lambda: notes.execute(BLOCKED), working)
        notes.execute("SELECT pg_terminate_backend(%s)", waiting[0][0])
        await until(lambda: not notes.execute("SELECT FROM pg_stat_activity WHERE pid = %s", waiting[0][0]), working)
    assert await working == "100 succeeded, 0 failed, 0 skipped"
    assert notes.missing() == notes.stale() == model.twice() == []


async def test_a_connection_that_freezes_in_the_midst_of_a_write_is_given_up(
    notes: Notes, model: StandIn, repair: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.writers, "FILL_TIMEOUT", 0.1)
    notes.make(ROWS)
    with psycopg.connect(notes.url) as application:
        application.execute("SELECT FROM notes WHERE id = 42 FOR UPDATE")
        working = asyncio.create_task((await repair()).make())
        ((frozen,),) = await until(lambda: notes.execute(BLOCKED), working)
        os.kill(frozen, signal.SIGSTOP)
        try:
            await until(lambda: [pid for (pid,) in notes.execute(BLOCKED) if pid != frozen], working)
        finally:
            os.kill(frozen, signal.SIGCONT)
    assert await working == "100 succeeded, 0 failed, 0 skipped"
    assert notes.missing() == notes.stale() == model.twice() == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_restart_of_the_server_is_waited_for(
    notes: Notes, model: StandIn, repair: Open, postgres: Postgres, how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.retrying, "FIRST_PAUSE", 1.0)  # the machine of a test may be busy
    notes.make(ROWS)
    model.seconds = 0.02
    working = asyncio.create_task((await repair()).make())
    await until(lambda: len(model.asked) >= ROWS / 4, working)
    await asyncio.to_thread(postgres.stop, how)
    await asyncio.to_thread(postgres.start)
    # A batch whose answer the crash has lost is tried again, found filled, and then counted as skipped.
    assert " 0 failed, " in await working
    assert notes.missing() == notes.stale() == notes.own_tables() == []


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_stays_away_ends_the_run_and_the_next_goes_on(
    notes: Notes, model: StandIn, repair: Open, postgres: Postgres
) -> None:
    notes.make(ROWS)
    model.seconds = 0.02
    working = asyncio.create_task((await repair()).make())
    await until(lambda: len(model.asked) >= ROWS / 4, working)
    await asyncio.to_thread(postgres.stop, signal.SIGINT)
    try:
        with pytest.raises(FixError, match=r"PostgreSQL at 127\.0\.0\.1:\d+/.* \(\d+ succeeded, 0 failed, 0 skipped\)"):
            await working
    finally:
        await asyncio.to_thread(postgres.start)
    missing = len(notes.missing())
    assert 0 < missing < ROWS
    assert await (await repair()).make() == f"{missing} succeeded, 0 failed, 0 skipped"
    assert notes.missing() == notes.stale() == notes.own_tables() == []
    assert len(model.twice()) <= 2 * BATCH  # of two workers, what each had in hand


async def test_a_role_that_may_not_read_the_table_is_told_so(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    url = role(notes, "GRANT UPDATE ON notes TO {role}")
    with pytest.raises(PermissionDenied, match="permission denied for table notes"):
        await (await repair(url=url)).plan()
    assert not model.asked


@pytest.mark.parametrize("right", ["SELECT", "UPDATE"])
async def test_a_right_that_is_taken_away_meanwhile_ends_the_run_and_the_next_goes_on(
    notes: Notes, model: StandIn, repair: Open, right: str
) -> None:
    notes.make(ROWS)
    url = role(notes, "GRANT SELECT, UPDATE ON notes TO {role}")
    name = url.partition("//")[2].partition(":")[0]

    def revoking(_texts: Sequence[str]) -> None:
        if len(model.asked) == ROWS / 2:
            notes.execute(f"REVOKE {right} ON notes FROM {name}")

    model.behaviour = revoking
    with pytest.raises(FixError, match=r"permission denied for table notes .*\(50 succeeded, 0 failed, 0 skipped\)"):
        await (await repair(url=url)).make(workers=1)
    notes.execute(f"GRANT {right} ON notes TO {name}")
    left = len(notes.missing())
    assert await (await repair(url=url)).make() == f"{left} succeeded, 0 failed, 0 skipped"
    assert notes.missing() == notes.stale() == []


async def test_a_role_that_may_not_write_is_told_so_before_the_model_is_asked(
    notes: Notes, model: StandIn, repair: Open
) -> None:
    notes.make(ROWS)
    url = role(notes, "GRANT SELECT ON notes TO {role}")
    with pytest.raises(RefusedError, match=r"may not write public\.notes\.embedding: GRANT UPDATE"):
        await (await repair(url=url)).plan()
    notes.execute(f"ALTER DATABASE {notes.url.rpartition('/')[2]} SET default_transaction_read_only = on")
    with pytest.raises(RefusedError, match="read-only: name the primary server"):
        await (await repair()).plan()
    assert not model.asked


async def test_a_model_of_another_length_is_refused(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    model.behaviour = lambda texts: vectors(*([1.0, 2.0] for _ in texts))
    with pytest.raises(RefusedError, match="gives 2 dimensions, public.notes.embedding takes 8"):
        await (await repair()).plan()


async def test_a_pooler_in_between_is_recognised_before_a_session_is_changed(
    notes: Notes, repair: Open, line: Line
) -> None:
    notes.make(ROWS)
    line.pooler = True
    behind = await repair(url=re.sub(r":\d+/", f":{line.port}/", notes.url))
    with pytest.raises(RefusedError, match="a pooler stands before the database: a backfill needs a session"):
        await behind.make()
    assert len(notes.missing()) == ROWS
    assert notes.own_tables() == []
    await behind.database.close()
