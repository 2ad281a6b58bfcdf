"""Dead letters whose error has certain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from doctor.chain import Chain
from doctor.late import sql
from doctor.redaction import bounded, redact
from doctor.resources.catalog import identifier
from doctor.resources.database import Database

_WITH_WORDS = """
SELECT task, count(*) AS count, (array_agg(error ORDER BY failed_at DESC))[1] AS error
FROM {table}
WHERE failed_at > now() - make_interval(secs => %(lookback)s) AND error ILIKE ANY(%(patterns)s)
GROUP BY task ORDER BY task
"""

ERROR_SHOWN = 300


@dataclass(frozen=True, slots=True)
class FailedFor:
    """The dead letters of one task that have the words; ``error`` is the newest."""

    task: str
    count: int
    error: str


async def failed_for(database: Database, chain: Chain, words: Sequence[str]) -> tuple[FailedFor, ...]:
    """Return the recent dead letters that hold any of ``words``, by task; none when the chain has no table for them."""
    if chain.failed_tasks_table is None:
        return ()
    query = sql.SQL(_WITH_WORDS).format(table=identifier(chain.failed_tasks_table))
    patterns = [f"%{word}%" for word in words]
    rows = await database.fetch(query, {"lookback": chain.lookback_hours * 3600, "patterns": patterns})
    return tuple(
        FailedFor(bounded(redact(row["task"]), 200), row["count"], bounded(redact(row["error"]), ERROR_SHOWN))
        for row in rows
    )
