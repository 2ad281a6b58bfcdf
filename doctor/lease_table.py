"""The table in which the workers of a backfill claim ranges of rows: one for each column that is being filled.

It stands in the schema of the table that is filled and says in its comment what it is.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from doctor.fix import RangeJob
from doctor.journal import Journal
from doctor.late import sql
from doctor.resources.catalog import identifier, parts, qualified
from doctor.resources.statement_template import template

if TYPE_CHECKING:
    from psycopg import AsyncConnection

CLAIMS = 5
"""How often a range is claimed; one at which that many workers died is given up."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(lock)s, 1))"
"""Held while the table is made or dropped, so that nobody joins what is about to go."""

_EXISTS = "SELECT to_regclass(%(name)s) IS NOT NULL"

_CREATE = """
    CREATE TABLE {leases} (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        low {key_type} NOT NULL, high {key_type} NOT NULL, rows bigint NOT NULL,
        worker text, lease_until timestamptz, attempts int NOT NULL DEFAULT 0,
        done_at timestamptz, written bigint, skipped bigint, failed bigint
    )
"""
_INDEX = "CREATE INDEX ON {leases} (id) WHERE done_at IS NULL"

_DIVIDE = """
    INSERT INTO {leases} (low, high, rows)
    SELECT (array_agg(key ORDER BY key))[1], (array_agg(key ORDER BY key DESC))[1], count(*)
    FROM (
        SELECT {key} AS key, (row_number() OVER (ORDER BY {key}) - 1) / %(size)s AS part
        FROM {table} WHERE {pending} ORDER BY {key} LIMIT %(limit)s
    ) AS pending
    GROUP BY part ORDER BY part
"""

IS_OPEN = """
    SELECT EXISTS (
        SELECT FROM {leases} WHERE done_at IS NULL AND (attempts < %(claims)s OR lease_until > clock_timestamp())
    )
"""
FINISH = """
    UPDATE {leases} AS lease SET done_at = clock_timestamp(),
        written = told.written, skipped = told.skipped, failed = told.failed
    FROM unnest(%(done)s::bigint[], %(written)s::bigint[], %(skipped)s::bigint[], %(failed)s::bigint[])
        AS told (id, written, skipped, failed)
    WHERE lease.id = told.id AND lease.worker = %(worker)s
"""
CLAIM = f"""
    WITH finished AS ({FINISH})
    UPDATE {{leases}} SET worker = %(worker)s, attempts = attempts + 1,
        lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
    WHERE id = (
        SELECT id FROM {{leases}}
        WHERE done_at IS NULL AND attempts < %(claims)s AND (lease_until IS NULL OR lease_until < clock_timestamp())
            AND id <> ALL(%(done)s)
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, low, high
"""
"""Tells what is finished in the same round trip: all workers of a process share one connection."""

RENEW = """
    UPDATE {leases} SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
    WHERE worker = %(worker)s AND done_at IS NULL AND id = ANY(%(held)s)
"""
GIVE_BACK = """
    UPDATE {leases} SET worker = NULL, lease_until = NULL, attempts = attempts - 1
    WHERE worker = %(worker)s AND done_at IS NULL
"""
LEFT = "SELECT coalesce(sum(rows), 0)::bigint FROM {leases} WHERE done_at IS NULL"


class LeaseTable:
    """The table of one job, whether it exists or not."""

    def __init__(self, job: RangeJob) -> None:
        self._job = job
        digest = hashlib.sha256(f"{job.table}.{job.column}".encode()).hexdigest()[:12]
        self.name = qualified(parts(job.table)[0], f"doctor_backfill_{digest}")
        self.lock = {"lock": f"doctor:backfill:{job.table}.{job.column}"}

    def statement(self, template: str) -> sql.Composed:
        """Put the names of both tables into a statement of this module."""
        return sql.SQL(template).format(
            leases=identifier(self.name),
            table=identifier(self._job.table),
            key=sql.Identifier(self._job.key),
            key_type=sql.SQL(self._job.key_type),
            pending=self._job.pending,
        )

    async def exists(self, connection: AsyncConnection[Any]) -> bool:
        """Whether somebody has made it."""
        return bool(await answer(connection, _EXISTS, {"name": identifier(self.name).as_string(None)}))

    async def create(self, connection: AsyncConnection[Any], journal: Journal) -> None:
        """Make the table and divide the rows, unless there is one with something left to do."""
        job, mark = self._job, uuid.uuid4().hex
        async with connection.transaction():
            await connection.execute(_LOCK, self.lock)
            if await self._is_open(connection):
                return
            journal.append({"kind": "leases", "name": self.name, "mark": mark})
            await connection.execute(self.statement("DROP TABLE IF EXISTS {leases}"))
            await connection.execute(self.statement(_CREATE))
            comment = sql.Literal(f"doctor fix EMB001: who fills {job.table}.{job.column}; {mark}")
            await connection.execute(self.statement("COMMENT ON TABLE {leases} IS ") + comment)
            await connection.execute(
                template(self.statement(_DIVIDE)), {"size": job.rows_per_range, "limit": job.limit}
            )
            await connection.execute(self.statement(_INDEX))
        await connection.execute(self.statement("ANALYZE {leases}"))

    async def drop_when_done(self, connection: AsyncConnection[Any]) -> bool:
        """Take the table away when nothing is left to do; return whether it was this call that did."""
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '5s'")
            await connection.execute(_LOCK, self.lock)
            if not await self.exists(connection) or await self._is_open(connection):
                return False
            await connection.execute(self.statement("DROP TABLE {leases}"))
        return True

    async def _is_open(self, connection: AsyncConnection[Any]) -> bool:
        return await self.exists(connection) and bool(
            await answer(connection, self.statement(IS_OPEN), {"claims": CLAIMS})
        )


async def drop_leases(connection: AsyncConnection[Any], entry: Mapping[str, Any]) -> str | None:
    """Drop the table of a journal's entry when it is still that one, and return what was done."""
    name = identifier(entry["name"])
    comment = "SELECT obj_description(to_regclass(%(name)s), 'pg_class')"
    if entry["mark"] not in (await answer(connection, comment, {"name": name.as_string(None)}) or ""):
        return None
    await connection.execute(sql.SQL("DROP TABLE {}").format(name))
    return f"table {entry['name']} dropped"


async def answer(connection: AsyncConnection[Any], question: sql.Composed | str, values: Mapping[str, Any]) -> Any:
    """Return the first column of the first row, or None."""
    row = await (await connection.execute(template(question), values)).fetchone()
    return None if row is None else row[0]
