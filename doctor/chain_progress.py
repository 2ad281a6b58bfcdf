"""How far the rows of a chain have come: the questions that several checks and fixes ask of the database."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from doctor.chain import Chain, Stage
from doctor.late import sql
from doctor.queue_state import queue_state
from doctor.redaction import bounded, redact
from doctor.resources.catalog import identifier, quoted
from doctor.resources.database import Database
from doctor.resources.nats import Nats

_COUNTS = """
SELECT count(*) FILTER (WHERE {entered}) AS entered,
       count(*) FILTER (WHERE {entered} AND {passed}) AS passed
FROM {table}
WHERE {created_at} > now() - make_interval(secs => %(lookback)s)
"""

_WAITING = """
SELECT {key}::text AS key, {group} AS grouped
FROM {table}
WHERE {created_at} > now() - make_interval(secs => %(lookback)s)
  AND {created_at} <= now() - make_interval(mins => %(minutes)s)
  AND {entered} AND NOT ({passed})
ORDER BY {created_at}, {key}
"""

_DEAD_LETTERS = """
SELECT task, count(*) AS count, max(failed_at)::text AS newest,
       (array_agg(error ORDER BY failed_at DESC))[1] AS error
FROM {table}
WHERE failed_at > now() - make_interval(secs => %(lookback)s)
GROUP BY task ORDER BY task
"""

_LEFT_BEHIND = """
SELECT {group} AS grouped, count(*) AS rows, coalesce(max({created_at})::text, '') AS newest
FROM {table}
WHERE ({created_at} > now() - make_interval(secs => %(lookback)s)) IS NOT TRUE AND {entered} AND NOT ({passed})
GROUP BY 1
"""

_FAILING = """
WITH numbered AS (
    SELECT task, status = 'failed' AS failed, error, finished_at,
           row_number() OVER (PARTITION BY task ORDER BY finished_at DESC) AS nth
    FROM {table}
    WHERE finished_at > now() - make_interval(secs => %(lookback)s)
), streaks AS (
    SELECT *, min(nth) FILTER (WHERE NOT failed) OVER (PARTITION BY task) AS first_success FROM numbered
)
SELECT task AS name, count(*) AS failures, max(finished_at)::text AS newest,
       (array_agg(error ORDER BY finished_at DESC))[1] AS error
FROM streaks WHERE nth < coalesce(first_success, nth + 1)
GROUP BY task HAVING count(*) >= %(repeated)s ORDER BY task
"""

_COLUMN_TYPE = """
SELECT attname AS name, format_type(atttypid, atttypmod) AS type
FROM pg_attribute WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
"""

REPEATED = 3
"""Failures of one task from which on they count as repeated (C12)."""

ERROR_SHOWN = 300
"""Characters of a dead letter's error; cut after redaction, so that no half of a secret is left."""

ROWS_SHOWN = 10_000
"""Waiting rows that are read at most; beyond it the count is a lower bound."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One stage in numbers of recent rows: how many could enter it, passed it, and are stalled before it."""

    stage: Stage
    position: int
    entered: int
    passed: int
    stalled: int


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The dead letters of one task within the look-back."""

    task: str
    count: int
    newest: str
    error: str


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """Rows beyond the look-back that never passed a stage, and those without a time.

    ``newest`` is the time of the newest of them; empty where none has one.

    ``below_threshold`` are those of groups that were too small for a stage with a threshold; ``rows`` the others.
    """

    stage: Stage
    rows: int
    below_threshold: int
    newest: str


@dataclass(frozen=True, slots=True)
class FailingTask:
    """A task whose last ``failures`` executions within the look-back all failed."""

    name: str
    failures: int
    newest: str
    error: str


async def chain_progress(database: Database, chain: Chain, *, older_than_minutes: int) -> tuple[Progress, ...]:
    """Count the recent rows along the stages that fill a plain column of the message table.

    Vector columns are left to the checks of embeddings. A row younger than ``older_than_minutes`` is never stalled.
    """
    steps = []
    for stage in await _plain_stages(database, chain):
        counts = await database.fetch_one(
            sql.SQL(_COUNTS).format(**_parts(chain, stage)), {"lookback": chain.lookback_hours * 3600}
        )
        assert counts is not None  # an aggregate always returns one row
        waiting = await stalled_rows(database, chain, stage, older_than_minutes=older_than_minutes)
        steps.append(Progress(stage, chain.position(stage.name), counts["entered"], counts["passed"], len(waiting)))
    return tuple(steps)


async def stalled_rows(
    database: Database, chain: Chain, stage: Stage, *, older_than_minutes: int = 0
) -> tuple[str, ...]:
    """Return the keys of the recent rows that wait before ``stage`` although they need not.

    Rows of a threshold stage count only where their group has reached the threshold.
    """
    query = sql.SQL("{} LIMIT {}").format(sql.SQL(_WAITING).format(**_parts(chain, stage)), sql.Literal(ROWS_SHOWN))
    parameters = {"lookback": chain.lookback_hours * 3600, "minutes": older_than_minutes}
    rows = await database.fetch(query, parameters)
    if not stage.threshold:
        return tuple(row["key"] for row in rows)
    sizes: dict[Any, int] = {}
    for row in rows:
        sizes[row["grouped"]] = sizes.get(row["grouped"], 0) + 1
    return tuple(row["key"] for row in rows if sizes[row["grouped"]] >= chain.message_threshold)


async def dead_letters(database: Database, chain: Chain) -> tuple[DeadLetters, ...]:
    """Return the recent dead letters by task; none when the chain has no table for them."""
    if chain.failed_tasks_table is None:
        return ()
    query = sql.SQL(_DEAD_LETTERS).format(table=identifier(chain.failed_tasks_table))
    rows = await database.fetch(query, {"lookback": chain.lookback_hours * 3600})
    return tuple(
        DeadLetters(row["task"], row["count"], row["newest"], bounded(redact(row["error"]), ERROR_SHOWN))
        for row in rows
    )


async def left_behind(database: Database, chain: Chain) -> tuple[LeftBehind, ...]:
    """Count the rows beyond the look-back before each stage that fills a plain column of the message table."""
    found = []
    for stage in await _plain_stages(database, chain):
        query = sql.SQL(_LEFT_BEHIND).format(**_parts(chain, stage))
        groups = await database.fetch(query, {"lookback": chain.lookback_hours * 3600})
        least = chain.message_threshold if stage.threshold else 1
        rows = sum(group["rows"] for group in groups if group["rows"] >= least)
        below = sum(group["rows"] for group in groups if group["rows"] < least)
        found.append(LeftBehind(stage, rows, below, max((group["newest"] for group in groups), default="")))
    return tuple(found)


async def failing_tasks(database: Database, chain: Chain) -> tuple[FailingTask, ...]:
    """Return the tasks that have failed ``REPEATED`` times or more since they last succeeded, if they ever did.

    None when the chain has no table of executions, or one without the columns ``task``, ``status``, ``error`` and
    ``finished_at``.
    """
    if chain.executions_table is None:
        return ()
    columns = await database.fetch(_COLUMN_TYPE, {"table": quoted(chain.executions_table)})
    if not {"task", "status", "error", "finished_at"} <= {row["name"] for row in columns}:
        return ()
    query = sql.SQL(_FAILING).format(table=identifier(chain.executions_table))
    rows = await database.fetch(query, {"lookback": chain.lookback_hours * 3600, "repeated": REPEATED})
    return tuple(
        FailingTask(row["name"], row["failures"], row["newest"], bounded(redact(row["error"] or ""), ERROR_SHOWN))
        for row in rows
    )


async def queue_is_idle(nats: Nats, subject: str) -> bool:
    """Tell whether no task waits and none is being worked on, on any stream that carries ``subject``."""
    state = await queue_state(nats, subject)
    return not (state.pending or state.unacknowledged)


async def milliseconds(awaitable: Awaitable[Any]) -> float:
    """Await something and return how long it took."""
    started = time.perf_counter()
    await awaitable
    return (time.perf_counter() - started) * 1000


def passed_before(chain: Chain, stage: Stage) -> sql.Composable:
    """Return the condition under which a row of the message table has passed every stage before ``stage``."""
    earlier = chain.stages[: chain.position(stage.name)]
    conditions = [
        sql.SQL("{} IS NOT NULL").format(sql.Identifier(each.column))
        for each in earlier
        if each.column and chain.is_of_messages(each)
    ]
    return sql.SQL("({})").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("true")


def _parts(chain: Chain, stage: Stage) -> dict[str, sql.Composable]:
    assert stage.column is not None  # only stages with a column are asked about
    passed: list[sql.Composable] = [sql.SQL("{} IS NOT NULL").format(sql.Identifier(stage.column))]
    if stage.taken_by:
        passed.append(sql.SQL("{} IS NOT NULL").format(sql.Identifier(stage.taken_by)))
    return {
        "table": identifier(chain.message_table),
        "created_at": sql.Identifier(chain.created_at),
        "key": sql.Identifier(stage.key),
        "group": sql.Identifier(chain.isolated_by) if chain.isolated_by else sql.SQL("NULL::text"),
        "entered": passed_before(chain, stage),
        "passed": sql.SQL("({})").format(sql.SQL(" OR ").join(passed)),
    }


async def _plain_stages(database: Database, chain: Chain) -> list[Stage]:
    rows = await database.fetch(_COLUMN_TYPE, {"table": quoted(chain.message_table)})
    types = {row["name"]: row["type"] for row in rows}
    return [
        stage
        for stage in chain.stages
        if chain.is_of_messages(stage)
        and stage.column in types
        and not types[stage.column].startswith(("vector", "halfvec", "sparsevec"))
    ]
