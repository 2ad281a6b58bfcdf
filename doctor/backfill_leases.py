"""Who embeds which rows: leases on ranges of keys, for any number of workers on any number of machines.

A lease is a row in a table of the doctor's own: a claim that ends by itself and is renewed while its worker lives. It
is no lock: nothing of the application waits for it, and what a killed worker held goes to another one. Nothing hangs on
it but model time: a vector is only ever written where there is none, so a lease that is lost, or held twice, harms no
row. The bookkeeping therefore does not wait for the disk.

A small job needs no table: one process has it alone, by an advisory lock.
"""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from doctor.fix import KeyRange, RangeJob, RefusedError
from doctor.journal import Journal
from doctor.late import psycopg, sql
from doctor.lease_table import CLAIM, CLAIMS, FINISH, GIVE_BACK, IS_OPEN, LEFT, RENEW, LeaseTable, answer
from doctor.resources.catalog import identifier
from doctor.resources.database import DatabaseError, DatabaseUnreachable, within
from doctor.resources.statement_template import rendered
from doctor.retrying import retried
from doctor.server_session import own_session

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from doctor.resources.database import Database

LEASE_SECONDS = 15.0
"""How long a lease is good unless it is renewed: so long does the range of a killed worker wait for another one."""

ANSWER_TIMEOUT = 10.0
"""Seconds in which the bookkeeping must answer before its connection is held to be dead."""

SMALL_JOB = 1_000
"""Rows up to which one process works alone, without a table."""

LOOK_AGAIN = 0.05
"""Seconds after which a worker without a range looks whether one has become free."""

_OUTCOMES = ("written", "skipped", "failed")
"""What becomes of rows; a lease has a column for the number of each."""

_ALONE = "SELECT pg_try_advisory_lock(hashtextextended(%(lock)s, 0))"
_TOGETHER = "SELECT pg_try_advisory_lock_shared(hashtextextended(%(lock)s, 0))"
_NOT_TOGETHER = "SELECT pg_advisory_unlock_shared(hashtextextended(%(lock)s, 0))"


class Leases:
    """The ranges of one backfill, as one process sees them; an asynchronous context manager.

    On leaving, what is still claimed is given back. The last process takes the table away and renews the statistics of
    the one that was filled. ``seconds`` is how long a lease is good.
    """

    def __init__(
        self,
        database: Callable[[], Awaitable[Database]],
        journal: Journal,
        job: RangeJob,
        *,
        seconds: float = LEASE_SECONDS,
    ) -> None:
        self._database = database
        self._journal = journal
        self._job = job
        self._seconds = seconds
        self._worker = uuid.uuid4().hex
        self._table = LeaseTable(job)
        self._statement = functools.cache(lambda text: rendered(self._table.statement(text)))
        self._alone: list[KeyRange] | None = None
        self._stack = AsyncExitStack()
        self._known: AsyncConnection[Any] | None = None
        self._heartbeat: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._finished: dict[int, Mapping[str, int]] = {}
        """What became of the rows of ranges that are finished; it is told with the next claim."""
        self._held: set[int] = set()
        """The ranges that are renewed. One whose claim was made and whose answer got lost is not, so that it ends."""

    async def __aenter__(self) -> Leases:
        try:
            await self._join(await self._connection())
        except BaseException:
            await self._stack.aclose()
            raise
        if self._alone is None:
            self._heartbeat = asyncio.create_task(self._keep_renewing())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._stop_renewing()
            with suppress(DatabaseError, psycopg.Error):  # leases end by themselves, a table that stays is used again
                ended = kind is None
                if self._alone is None:
                    await self._execute(FINISH, self._told())
                    await self._execute(GIVE_BACK)
                    ended = await self._table.drop_when_done(await self._connection())
                if ended:
                    await self._analyze()
        finally:
            await self._stack.aclose()

    async def claim(self) -> KeyRange | None:
        """Return a range to embed; None when there is none to be had."""
        if self._alone is not None:
            return self._alone.pop() if self._alone else None
        told = self._told()
        claimed = await self._patiently(CLAIM, told)
        for finished in told["done"]:
            self._finished.pop(finished, None)
        if not claimed:
            return None
        part = KeyRange(*claimed[0])
        self._held.add(part.id)
        return part

    async def others_at_work(self) -> bool:
        """Wait a moment when others hold all that is left, since a worker may die; False when nothing is left."""
        is_open = await self._patiently(IS_OPEN) if self._alone is None else []
        if not is_open or not is_open[0][0]:
            return False
        await asyncio.sleep(LOOK_AGAIN)
        return True

    def finish(self, done: KeyRange, *, written: int, skipped: int, failed: int) -> None:
        """Note that every row of a range was looked at."""
        self._finished[done.id] = {"written": written, "skipped": skipped, "failed": failed}
        self._held.discard(done.id)

    async def left(self) -> int | None:
        """Return how many rows are in ranges that nobody has finished; None when nobody else takes part."""
        rows = await self._patiently(LEFT) if self._alone is None else None
        return rows[0][0] if rows else None

    def _told(self) -> dict[str, list[int]]:
        """Return the values of the statement that tells what is finished, a list a column."""
        done = self._finished
        return {"done": [*done], **{what: [rows[what] for rows in done.values()] for what in _OUTCOMES}}

    async def _join(self, connection: AsyncConnection[Any]) -> None:
        """Have the job alone when it is small, else make the table or join those who did.

        Raises:
            RefusedError: another process has the job alone.
        """
        lock, is_small = self._table.lock, self._job.rows <= SMALL_JOB
        if is_small and not await self._table.exists(connection) and await answer(connection, _ALONE, lock):
            self._alone = [KeyRange(0, None, None)]
            return
        if await answer(connection, _TOGETHER, lock):
            try:
                await self._table.create(connection, self._journal)
            except psycopg.errors.InsufficientPrivilege:  # no table of our own here: then without helpers
                await connection.execute(_NOT_TOGETHER, lock)
                if await answer(connection, _ALONE, lock):
                    self._alone = [KeyRange(0, None, None)]
                    return
            else:
                return
        what = f"{self._job.table}.{self._job.column}"
        raise RefusedError(f"another process fills {what} and takes no helpers; wait for it, or end it")

    async def _analyze(self) -> None:
        """Renew the planner's statistics: it takes a column for NULL throughout until somebody does."""
        connection = await self._connection()
        await connection.execute("SET lock_timeout = '5s'")
        await connection.execute(sql.SQL("ANALYZE {}").format(identifier(self._job.table)))

    async def _keep_renewing(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), self._seconds / 3)
            with suppress(DatabaseError, psycopg.Error):
                await self._execute(RENEW, {"held": list(self._held)})

    async def _stop_renewing(self) -> None:
        """End it before the table goes: a renewal that fails would undo the transaction that it falls into."""
        self._over.set()
        if self._heartbeat is not None:
            await self._heartbeat

    async def _patiently(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement, again after an outage; no rows when the table is gone, so that all is done or undone."""
        work = self._execute
        try:
            return await retried(lambda: work(statement, values), (DatabaseUnreachable, psycopg.OperationalError))
        except psycopg.errors.UndefinedTable:
            return []

    async def _execute(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        known = {"worker": self._worker, "seconds": self._seconds, "claims": CLAIMS, **(values or {})}
        connection = await self._connection()
        asked = _answers(connection, self._statement(statement), known)
        try:
            return await within(connection, asked, ANSWER_TIMEOUT)
        except TimeoutError:
            await connection.close()
            raise psycopg.OperationalError(f"no answer in {ANSWER_TIMEOUT:g} s") from None

    async def _connection(self) -> AsyncConnection[Any]:
        """Return the one connection of the bookkeeping, which has the advisory lock too; a new one after an outage.

        Raises:
            RefusedError: a pooler is in between: setting and lock would stay behind with the application.
        """
        if self._known is None or self._known.closed:
            was_lost = self._known is not None
            database = await self._database()
            connection = await self._stack.enter_async_context(database.connect_for_writing())
            await own_session(connection, "a backfill")
            await connection.execute("SET synchronous_commit = off")
            if was_lost:
                await answer(connection, _ALONE if self._alone is not None else _TOGETHER, self._table.lock)
            self._known = connection
        return self._known


async def _answers(
    connection: AsyncConnection[Any], question: sql.SQL, values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(question, values)
    return await cursor.fetchall() if cursor.description else []
