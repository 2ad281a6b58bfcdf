"""How long tasks take, from the target's own log of executions."""

from __future__ import annotations

from dataclasses import dataclass

from doctor.chain import Chain
from doctor.late import sql
from doctor.redaction import bounded, redact
from doctor.resources.catalog import identifier, quoted
from doctor.resources.database import Database

_COLUMNS = """
SELECT attname AS name FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
"""

_LONGEST = """
SELECT task, extract(epoch FROM finished_at - started_at)::float AS seconds
FROM {table}
WHERE finished_at > now() - make_interval(secs => %(lookback)s) AND started_at IS NOT NULL
ORDER BY finished_at - started_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class LongestExecution:
    """The longest execution of a task, all attempts of one delivery together, within the look-back."""

    task: str
    seconds: float
    table: str


async def longest_execution(database: Database, chain: Chain) -> LongestExecution | None:
    """Return the longest execution within the look-back.

    None when there is none, or no table of executions with the columns ``task``, ``started_at`` and ``finished_at``.
    """
    if chain.executions_table is None:
        return None
    columns = {row["name"] for row in await database.fetch(_COLUMNS, {"table": quoted(chain.executions_table)})}
    if not {"task", "started_at", "finished_at"} <= columns:
        return None
    query = sql.SQL(_LONGEST).format(table=identifier(chain.executions_table))
    row = await database.fetch_one(query, {"lookback": chain.lookback_hours * 3600})
    if row is None:
        return None
    return LongestExecution(bounded(redact(row["task"]), 200), row["seconds"], chain.executions_table)
