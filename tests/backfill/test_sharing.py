"""Several processes fill one column: each row once, by whoever lives; the doctor's own table goes when all is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from doctor.backfill_leases import Leases
from doctor.fix import FixError, Limits, RefusedError
from doctor.lease_table import CLAIM
from tests.backfill.conftest import Notes, Postgres, until
from tests.backfill.repair import LEASE_SECONDS, RANGE
from tests.backfill.stand_in import Answer, StandIn

Open = Callable[..., Awaitable[Any]]

ROWS = 100


async def test_processes_that_join_share_the_rows(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    model.seconds = 0.02
    repairs = [await repair() for _ in range(3)]
    outcomes = await asyncio.gather(*(one.make() for one in repairs))
    assert sum(int(outcome.split()[0]) for outcome in outcomes) == ROWS
    assert notes.missing() == notes.stale() == model.twice() == notes.own_tables() == []


async def test_a_lease_is_renewed_while_the_model_takes_its_time(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(2 * RANGE)
    model.seconds = 1.5 * LEASE_SECONDS
    repairs = [await repair() for _ in range(3)]  # one has nothing to do but to wait for a lease to end
    await asyncio.gather(*(one.make(workers=1) for one in repairs))
    assert notes.missing() == model.twice() == notes.own_tables() == []


async def test_a_range_is_made_of_whole_batches_and_grows_with_the_job(notes: Notes, repair: Open) -> None:
    notes.make(1)
    _, plan = await (await repair()).plan()

    def rows_of_a_range(rows: int, batch_size: int, limit: int | None = None) -> int:
        return replace(plan.payload, rows=rows).divided(Limits(batch_size, limit)).rows_per_range

    assert rows_of_a_range(2_000, 300) == 600
    assert rows_of_a_range(100_000, 100) == 1_000
    assert rows_of_a_range(100_000, 100, limit=2_000) == 500
    assert rows_of_a_range(10_000_000, 100) == 5_000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("uuid", "md5(n::text)::uuid"),
        ("text", "'it''s {' || n || '}'"),
        ("varchar(20)", "'a,b ' || n"),
        ("int", "n"),
        ("numeric", "n / 7.0"),
    ],
)
async def test_keys_of_any_type_are_divided(notes: Notes, model: StandIn, repair: Open, key: str, value: str) -> None:
    notes.make(ROWS, key, value)
    await (await repair()).make()
    assert notes.missing() == notes.stale() == model.twice() == notes.own_tables() == []


async def test_a_small_job_needs_no_table_and_takes_no_helpers(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    model.seconds = 0.02
    first, second = await repair(shared=False), await repair(shared=False)
    tables: list[str] = []
    working = asyncio.create_task(first.make(lambda _line: tables.extend(notes.own_tables())))
    await until(lambda: model.asked, working)
    with pytest.raises(RefusedError, match=r"another process fills public\.notes\.embedding and takes no helpers"):
        await second.make()
    assert await working == "100 succeeded, 0 failed, 0 skipped"
    assert tables == model.twice() == []


async def test_what_a_stopped_process_left_is_taken_up(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    model.seconds = 0.02
    stopped = asyncio.create_task((await repair()).make())
    await until(lambda: len(model.asked) >= RANGE, stopped)
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert len(notes.own_tables()) == 1
    assert await (await repair()).make()
    assert notes.missing() == notes.stale() == notes.own_tables() == []


async def test_a_limit_holds_among_several_workers_and_leaves_no_table(
    notes: Notes, model: StandIn, repair: Open
) -> None:
    notes.make(ROWS)
    assert await (await repair()).make(limit=45, workers=3) == "45 succeeded, 0 failed, 0 skipped"
    assert len(notes.missing()) == ROWS - 45
    assert model.asked.total() == 45
    assert notes.own_tables() == []


async def test_a_role_that_may_make_no_table_does_it_alone(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    url = role(notes, "GRANT SELECT, UPDATE ON notes TO {role}")
    assert await (await repair(url=url)).make() == "100 succeeded, 0 failed, 0 skipped"
    assert model.twice() == notes.own_tables() == []


async def test_a_range_at_which_five_workers_died_is_given_up(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    model.seconds = 0.02
    first = asyncio.create_task((await repair()).make(workers=1))
    await until(notes.own_tables, first)
    notes.execute(f"UPDATE {notes.own_tables()[0]} SET attempts = 5 WHERE id = 5")
    assert await first == "80 succeeded, 0 failed, 0 skipped"
    assert notes.missing() == [f"text {row}" for row in range(81, 101)]
    assert notes.own_tables() == []


async def test_a_claim_whose_answer_is_lost_ends_by_itself(
    notes: Notes, model: StandIn, repair: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.make(ROWS)
    execute = Leases._execute
    lost: list[Any] = []

    async def losing(leases: Leases, statement: str, values: Any = None) -> Any:
        answer = await execute(leases, statement, values)
        if statement == CLAIM and not lost:
            lost.extend(answer)
            raise psycopg.OperationalError("the connection broke before the answer came")
        return answer

    monkeypatch.setattr(Leases, "_execute", losing)
    assert await (await repair()).make() == "100 succeeded, 0 failed, 0 skipped"
    assert len(lost) == 1
    assert notes.missing() == model.twice() == notes.own_tables() == []


async def test_what_is_finished_last_is_told_on_leaving(notes: Notes, repair: Open) -> None:
    notes.make(ROWS)
    one = await repair()
    context, plan = await one.plan()
    async with one.writers().database.leases(plan.payload.divided(context.limits)) as leases:
        leases.finish(await leases.claim(), written=3, skipped=2, failed=15)
    (table,) = notes.own_tables()
    done = notes.execute(f"SELECT written, skipped, failed FROM {table} WHERE done_at IS NOT NULL")
    assert done == [(3, 2, 15)]


async def test_the_table_goes_although_leases_are_renewed_all_the_time(
    notes: Notes, model: StandIn, repair: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.backfill.repair.LEASE_SECONDS", 0.0001)
    for _ in range(5):
        notes.make(RANGE)
        await (await repair()).make(workers=1)
        assert notes.own_tables() == []


async def test_undo_empties_what_was_written_and_drops_the_table(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    one, other = await repair(), await repair()

    def failing(texts: Any) -> Answer | None:
        return Answer({"error": "no"}, 401) if len(model.asked) > ROWS / 2 else None

    model.behaviour = failing
    with pytest.raises(FixError, match="the key is not accepted"):
        await one.make()
    written = ROWS - len(notes.missing())
    assert written > 0
    model.behaviour = lambda _texts: None
    assert len(notes.own_tables()) == 1
    done = await one.undo()
    assert any(line.endswith("dropped") for line in done)
    assert len(notes.missing()) == ROWS
    assert notes.own_tables() == []
    await other.make()
    assert await one.undo() == []
    assert notes.missing() == []


async def test_undo_leaves_a_later_table_alone(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    first, second = await repair(), await repair()
    await first.make(limit=20)
    model.seconds = 0.02
    working = asyncio.create_task(second.make())
    await until(notes.own_tables, working)
    assert [line for line in await first.undo() if "dropped" in line] == []
    await working
    assert notes.own_tables() == []


async def test_progress_tells_the_rate_and_the_time_left(notes: Notes, model: StandIn, repair: Open) -> None:
    notes.make(ROWS)
    lines: list[str] = []
    await (await repair()).make(lines.append)
    assert len(lines) == 10
    assert lines[-1].startswith("notes: 100/100 rows, 0 failed, ")
    assert lines[-1].endswith("/s, 0 s left")


async def test_the_planner_knows_of_the_vectors_afterwards(notes: Notes, model: StandIn, repair: Open) -> None:
    fraction = "SELECT null_frac FROM pg_stats WHERE tablename = 'notes' AND attname = 'embedding'"
    for shared in (True, False):
        notes.make(ROWS)
        notes.execute("ANALYZE notes")
        assert notes.execute(fraction) == [(1.0,)]
        await (await repair(shared=shared)).make()
        assert notes.execute(fraction) == [(0.0,)]


def role(notes: Notes, *grants: str) -> str:
    """Make a role that may log in and what is granted; return the address with which it does."""
    name = f"reader_{notes.url.rpartition('/')[2]}"
    notes.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'correct-horse'")
    for grant in grants:
        notes.execute(grant.format(role=name))
    _, _, rest = notes.url.partition("@")
    return f"postgresql://{name}:correct-horse@{rest}"


async def test_a_row_without_a_time_is_filled_and_a_recent_one_is_left_to_the_pipeline(
    notes: Notes, repair: Open
) -> None:
    notes.make(3)
    notes.execute("ALTER TABLE notes ADD created_at timestamptz")
    notes.execute("UPDATE notes SET created_at = now() WHERE id = 3")
    assert await (await repair(shared=False)).make() == "2 succeeded, 0 failed, 0 skipped"
    assert notes.missing() == ["text 3"]


@pytest.mark.parametrize("shared", [False, True])
async def test_a_percent_sign_in_a_name_is_a_percent_sign(notes: Notes, repair: Open, *, shared: bool) -> None:
    notes.make(ROWS)
    notes.execute('ALTER TABLE notes RENAME id TO "i%d"')
    assert (await (await repair(shared=shared)).make()).startswith("100 succeeded, 0 failed")


async def test_a_database_of_another_encoding_is_filled(postgres: Postgres, repair: Open) -> None:
    postgres.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'")
    latin = Notes(postgres.url("latin"))
    latin.execute("CREATE EXTENSION vector")
    latin.make(2)
    latin.execute("UPDATE notes SET content = 'café' WHERE id = 2")
    filling = await repair(shared=False, url=latin.url)
    assert await filling.make() == "2 succeeded, 0 failed, 0 skipped"
    assert await filling.undo() == ["2 vectors of public.notes emptied"]
