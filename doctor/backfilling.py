"""The workers of one process that fill a vector column, range by range, and what they share: limits, pace, count."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from doctor.embedding_texts import EmbeddingText
from doctor.fix import FixError, KeyRange, Leases, Limits, RangeJob, RowsRefusedError, Writers
from doctor.late import sql
from doctor.resources.catalog import VectorColumn
from doctor.resources.database import Database, DatabaseUnreachable, QueryTimedOut
from doctor.resources.statement_template import rendered
from doctor.retrying import retried
from doctor.text_embedding import Embedder, Refused, Server
from doctor.wording import span_of_time

RANGES = 100
"""Into so many a job is divided: enough that many workers have something to do and end at about the same time."""

RANGE_ROWS = (500, 5_000)
"""Rows of a range, which a worker claims at once: at least, as a claim takes time, and at most, as a model does."""

HOPELESS = 1_000
"""Failed rows without a single success after which there is no use in going on."""

READ_TIMEOUT = 30.0
"""Seconds in which the next batch must be found."""

COUNT_EVERY = 1.0
"""Seconds between two questions how much others have done."""

_PASSING = (DatabaseUnreachable, QueryTimedOut)
"""What ends by itself: a restart, a lock of the application."""

_PENDING = "{column} IS NULL AND NOT {blank} AND {old}"
_COUNT = f"SELECT count(*) FROM {{table}} WHERE {_PENDING}"
_NEXT = f"SELECT {{key}} AS key, {{text}} AS text FROM {{table}} WHERE {_PENDING}"
_BOUNDS = {"low": "{key} >= %(low)s", "high": "{key} <= %(high)s", "last": "{key} > %(last)s"}

Row: TypeAlias = dict[str, Any]
"""One row to embed: ``key`` and ``text``."""

Filled: TypeAlias = tuple[Any, bytes, bytes]
"""Key, hash of the text, packed vector."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What is to be filled, from what, by which model. ``rows`` is how many rows lack their vector.

    ``due`` is the condition that leaves out what the pipeline itself is about to embed.
    """

    column: VectorColumn
    key_type: str
    text: EmbeddingText
    due: sql.Composable
    model: str
    server: Server
    rows: int = 0

    async def count(self, database: Database) -> int:
        """Return how many rows lack their vector now."""
        return int(await database.scalar(self.statement(_COUNT), timeout=READ_TIMEOUT))

    def statement(self, template: str) -> sql.Composed:
        """Put the names of table and columns into a statement of this module."""
        return sql.SQL(template).format(
            table=self.column.quoted_table,
            column=sql.Identifier(self.column.column),
            key=sql.Identifier(self.column.primary_key[0]),
            text=self.text.expression,
            blank=self.text.is_blank,
            old=self.due,
        )

    def divided(self, limits: Limits) -> RangeJob:
        """Return the job as those see it who share it; a range is made of whole batches."""
        rows = self.rows if limits.limit is None else min(self.rows, limits.limit)
        least, most = RANGE_ROWS
        batches = math.ceil(min(max(least, rows / RANGES), most) / limits.batch_size)
        return RangeJob(
            table=self.column.table_name,
            key=self.column.primary_key[0],
            key_type=self.key_type,
            column=self.column.column,
            pending=self.statement(_PENDING),
            rows=rows,
            rows_per_range=batches * limits.batch_size,
            limit=limits.limit,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of rows: written, failed (no vector to be had), skipped (changed or filled meanwhile)."""

    written: int = 0
    failed: int = 0
    skipped: int = 0
    first_error: str = ""

    @property
    def seen(self) -> int:
        """How many rows were looked at."""
        return self.written + self.failed + self.skipped

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.written + other.written,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.first_error or other.first_error,
        )

    def __str__(self) -> str:
        counts = f"{self.written} succeeded, {self.failed} failed, {self.skipped} skipped"
        return f"{counts}; first error: {self.first_error}" if self.failed else counts


class Workers:
    """Some workers of one backfill; those of other processes take part through the leases."""

    def __init__(self, job: Backfill, database: Database, limits: Limits, writers: Writers, leases: Leases) -> None:
        self._job = job
        self._database = database
        self._limits = limits
        self._writers = writers
        self._leases = leases
        self._reading = functools.cache(self._reading_within)
        self._embedder = Embedder(job.server, job.model, job.column.dimensions)
        self._started = time.monotonic()
        self._taken = 0
        """Rows read, or about to be."""
        self._left: int | None = None
        self._counted = self._started
        self._stopping = False
        self.tally = Tally()

    async def work(self) -> None:
        """Embed until nothing is left or the limit is reached; what stops one worker stops the others.

        Raises:
            FixError, ModelError, DatabaseError: it cannot go on; whatever was written stays.
        """
        working = [asyncio.create_task(self._one_worker()) for _ in range(self._limits.workers)]
        outcomes = await asyncio.gather(*working, return_exceptions=True)  # each ends its batch before it stops
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _one_worker(self) -> None:
        try:
            while not self._stopping:
                part = await self._leases.claim()
                if part is None:
                    if await self._leases.others_at_work():
                        continue
                    return
                done = await self._fill(part)
                if done is not None:
                    self._leases.finish(part, written=done.written, failed=done.failed, skipped=done.skipped)
        except BaseException:
            self._stopping = True
            raise

    async def _fill(self, part: KeyRange) -> Tally | None:
        """Embed a range; None when it was left before its end. What changed meanwhile is read once more."""
        failed: set[Any] = set()
        done, last = Tally(), None
        while last is None or last != part.high:
            size = self._take()
            if not size:
                self._stopping = True
            if self._stopping:
                return None
            rows = await self._next(part, last, size)
            self._taken -= size - len(rows)
            if not rows:
                break
            last = rows[-1]["key"]
            done += self._count(await self._embed(rows, failed))
            await self._tell()
        return await self._once_more(part, done, failed) if done.skipped else done

    async def _once_more(self, part: KeyRange, done: Tally, failed: set[Any]) -> Tally:
        last, skipped = None, done.skipped
        while rows := await self._next(part, last, self._limits.batch_size):
            last = rows[-1]["key"]
            changed = [row for row in rows if row["key"] not in failed]
            known = min(skipped, len(changed))  # others were written, and emptied by the application since
            skipped -= known
            done += self._count(await self._embed(changed, failed) + Tally(skipped=-known))
        return done

    def _take(self) -> int:
        """Return how many rows may be read next, within the limit of this process."""
        size = self._limits.batch_size
        if self._limits.limit is not None:
            size = min(size, self._limits.limit - self._taken)
        self._taken += size
        return size

    async def _next(self, part: KeyRange, last: Any, size: int) -> list[Row]:
        known = {"low": part.low, "high": part.high, "last": last}
        bounds = {name: value for name, value in known.items() if value is not None}
        read = partial(self._database.fetch, self._reading(*bounds), {**bounds, "size": size}, timeout=READ_TIMEOUT)
        return await retried(read, _PASSING)

    def _reading_within(self, *bounds: str) -> sql.SQL:
        conditions = "".join(f" AND {_BOUNDS[name]}" for name in bounds)
        return rendered(self._job.statement(f"{_NEXT}{conditions} ORDER BY {{key}} LIMIT %(size)s"))

    async def _embed(self, rows: Sequence[Row], failed: set[Any]) -> Tally:
        """Embed and write one batch; keys that fail are added to ``failed``."""
        vectors = await self._embedder.vectors([row["text"] for row in rows]) if rows else []
        good: list[Filled] = []
        tally = Tally()
        for row, vector in zip(rows, vectors, strict=True):
            if isinstance(vector, Refused):
                failed.add(row["key"])
                tally += Tally(failed=1, first_error=f"row {row['key']}: {vector.reason}")
            else:
                good.append((row["key"], _digest(row["text"]), vector))
        return tally + await self._write(good, failed)

    async def _write(self, good: Sequence[Filled], failed: set[Any]) -> Tally:
        """Write vectors; halve what the database refuses until the refused row stands alone."""
        if not good:
            return Tally()
        column = self._job.column
        fill = partial(
            self._writers.database.fill_vectors,
            column.table_name,
            column.primary_key[0],
            column.column,
            self._job.text.expression.as_string(None),
        )
        try:
            written = await retried(partial(fill, good), _PASSING)
        except RowsRefusedError as error:
            if len(good) == 1:
                failed.add(good[0][0])
                return Tally(failed=1, first_error=f"row {good[0][0]}: {error}")
            half = len(good) // 2
            return await self._write(good[:half], failed) + await self._write(good[half:], failed)
        return Tally(written=written, skipped=len(good) - written)

    def _count(self, batch: Tally) -> Tally:
        self.tally += batch
        if self.tally.failed >= HOPELESS and not self.tally.written:
            raise FixError(f"not one of the first {self.tally.failed} rows got a vector")
        return batch

    async def _tell(self) -> None:
        """Say how far it is, how quickly it goes and how long the rest takes; wait where it goes too quickly."""
        now = time.monotonic()
        if now - self._counted >= COUNT_EVERY:
            self._left, self._counted = await self._leases.left(), now
        rows = self._job.rows if self._limits.limit is None else min(self._job.rows, self._limits.limit)
        done = self.tally.seen if self._left is None else max(self.tally.seen, rows - self._left)
        speed = done / max(now - self._started, 1e-9)
        left = span_of_time(max(0, rows - done) / speed) if speed else "?"
        self._writers.progress(
            f"{self._job.column.table}: {done}/{rows} rows, {self.tally.failed} failed, {speed:.0f}/s, {left} left"
        )
        if self._limits.rate is not None:
            await asyncio.sleep(max(0.0, self._taken / self._limits.rate - (now - self._started)))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
