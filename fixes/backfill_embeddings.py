"""Embeds the rows whose vector is NULL, in batches, with the model that the target is configured to use.

No lock is held while the model works: a batch is read, embedded, checked, and written in one short transaction, only
where the vector is still NULL and the text unchanged; the next one is embedded meanwhile. It can be stopped and run
again, and beside live workers. A text that the model server refuses is found by halving its batch, and skipped.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from doctor.api import (
    EMBEDDING_MODEL_VARIABLES,
    Database,
    Embedder,
    EmbeddingText,
    Environment,
    Fix,
    FixContext,
    FixError,
    Models,
    NothingToDoError,
    OllamaServer,
    Phase,
    Plan,
    Refused,
    RefusedError,
    VectorColumn,
    Writers,
    column_types,
    counted,
    readable,
    recent_rows,
    sql,
    vector_columns,
)

_NEXT = """
SELECT {key} AS key, {text} AS text FROM {table}
WHERE {column} IS NULL AND btrim({text}) <> '' AND {old} AND ({after} OR {key} > %(last)s)
ORDER BY {key} LIMIT %(size)s
"""

_COUNT = "SELECT count(*) FROM {table} WHERE {column} IS NULL AND btrim({text}) <> '' AND {old}"


@dataclass(frozen=True, slots=True)
class _Job:
    column: VectorColumn
    text: EmbeddingText
    model: str
    server: OllamaServer
    rows: int
    old: sql.Composable
    """The condition that leaves out what the pipeline itself is about to embed."""


@dataclass(slots=True)
class _Tally:
    written: int = 0
    skipped: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        return self.written + self.skipped + self.failed


async def plan(context: FixContext) -> Plan:
    """Count the rows, choose the model, and embed one word to see that its dimensions fit."""
    job = await _job(context)
    (probe,) = await job.server.embed(job.model, ["doctor"])
    if len(probe) != job.column.dimensions:
        raise RefusedError(
            f"`{job.model}` gives {len(probe)} dimensions, {job.column.name} takes {job.column.dimensions}; "
            "choose another model or another column, the doctor never pads"
        )
    table, column, size = job.column.table_name, readable(job.column.column), context.limits.batch_size
    batches = math.ceil(job.rows / size)
    rows = counted(job.rows, "row")
    return Plan(
        summary=f"embed {rows} of {table} with `{job.model}`, {counted(batches, 'batch', 'batches')} of {size}",
        preview=f"UPDATE {readable(table)} SET {column} = … WHERE {column} IS NULL;  -- {rows}\n"
        f"-- text: {', blank line, '.join(job.text.columns)}; model: {job.model} at {job.server.endpoint.address}",
        touches=(f"{rows} of {job.column.table_name}",),
        locks="the rows of one batch, for milliseconds",
        estimate="depends on the model; one real call was made to plan this",
        payload=job,
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Embed batch after batch; while one is written, the next is read and embedded.

    Raises:
        FixError: when nothing could be written, or the model server stopped answering.
    """
    job: _Job = plan.payload
    tally, started = _Tally(), time.monotonic()
    writing: asyncio.Task[None] | None = None
    try:
        async for rows in _batches(context, job, started):
            good = await _embedded(job, rows, tally)
            if writing is not None:
                await writing
            writing = asyncio.create_task(_write(job, good, writers, tally))
            writers.progress(_progress(job, tally, time.monotonic() - started))
    finally:
        if writing is not None:  # whatever stopped the rest: what is on its way into the journal gets there
            await writing
    writers.progress(_progress(job, tally, time.monotonic() - started))
    words = f"{tally.written} succeeded, {tally.failed} failed, {tally.skipped} skipped"
    if tally.failed and not tally.written:
        raise FixError(f"{words}; first error: {tally.errors[0]}")
    return words


async def _batches(context: FixContext, job: _Job, started: float) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the rows to embed, in the order of their keys, within the limits of number and rate."""
    database: Database = context.resources["database"]
    limits, read, last = context.limits, 0, None
    while True:
        size = limits.batch_size if limits.limit is None else min(limits.batch_size, limits.limit - read)
        rows = await _next(database, job, last, size) if size > 0 else []
        if not rows:
            return
        read, last = read + len(rows), rows[-1]["key"]
        yield rows
        if limits.rate is not None:
            await asyncio.sleep(max(0.0, read / limits.rate - (time.monotonic() - started)))


def _progress(job: _Job, tally: _Tally, elapsed: float) -> str:
    """Say how far it is, how quickly it goes, and how long the rest takes at that speed."""
    speed = tally.seen / elapsed if elapsed > 0 else 0.0
    left = f", {speed:.0f}/s, {max(0, job.rows - tally.seen) / speed:.0f} s left" if speed > 0 else ""
    return f"{job.column.table}: {tally.seen}/{job.rows} rows, {tally.failed} failed{left}"


async def _embedded(job: _Job, rows: Sequence[dict[str, Any]], tally: _Tally) -> list[tuple[Any, str, list[float]]]:
    """Return key, hash of the text and vector of each row whose vector is sound; count the others as failed."""
    embedder = Embedder(job.server, job.model, job.column.dimensions)
    vectors = await embedder.vectors([row["text"] for row in rows])
    good = []
    for row, vector in zip(rows, vectors, strict=True):
        if isinstance(vector, Refused):
            tally.failed += 1
            tally.errors.append(f"row {row['key']}: {vector.reason}")
        else:
            good.append((row["key"], hashlib.md5(row["text"].encode(), usedforsecurity=False).hexdigest(), vector))
    return good


async def _write(job: _Job, good: Sequence[tuple[Any, str, list[float]]], writers: Writers, tally: _Tally) -> None:
    if not good:
        return
    expression = job.text.expression.as_string(None)
    key = job.column.primary_key[0]
    written = await writers.database.fill_vectors(job.column.table_name, key, job.column.column, expression, good)
    tally.written += written
    tally.skipped += len(good) - written


async def _next(database: Database, job: _Job, last: Any, size: int) -> list[dict[str, Any]]:
    query = sql.SQL(_NEXT).format(**_names(job), after=sql.SQL("true") if last is None else sql.SQL("false"))
    return await database.fetch(query, {"last": last, "size": size}, timeout=30.0)


def _names(job: _Job) -> dict[str, sql.Composable]:
    return {
        "table": job.column.quoted_table,
        "column": sql.Identifier(job.column.column),
        "key": sql.Identifier(job.column.primary_key[0]),
        "text": job.text.expression,
        "old": job.old,
    }


async def _job(context: FixContext) -> _Job:
    database: Database = context.resources["database"]
    models: Models = context.resources["models"]
    environment: Environment = context.resources["environment"]
    wanted = (context.arguments["table"], context.arguments["column"])
    columns = await vector_columns(database)
    column = next((each for each in columns if (each.table_name, each.column) == wanted), None)
    if column is None:
        raise RefusedError(f"{wanted[0]}.{wanted[1]} is no vector column any more")
    text = context.resources["texts"].of(column, await column_types(database, column))
    if text is None or len(column.primary_key) != 1:
        raise RefusedError(f"{column.table_name} has no text column that the doctor knows, or no simple primary key")
    variable = next((found for name in EMBEDDING_MODEL_VARIABLES if (found := environment.get(name))), None)
    if variable is None or models.default is None:
        raise RefusedError("set OLLAMA_HOST and OLLAMA_EMBEDDING_MODEL, so that the doctor embeds as the target does")
    types = await column_types(database, column)
    old = sql.SQL("NOT ") + recent_rows(context.resources["chain"], types)
    names = {
        "table": column.quoted_table,
        "column": sql.Identifier(column.column),
        "text": text.expression,
        "old": old,
    }
    rows = await database.scalar(sql.SQL(_COUNT).format(**names), timeout=30.0)
    if not rows:
        raise NothingToDoError(f"no row of {column.table_name} lacks a vector any more")
    limit = context.limits.limit
    return _Job(column, text, variable.value, models.default, rows if limit is None else min(rows, limit), old)


BACKFILL_EMBEDDINGS = Fix(
    name="backfill-embeddings",
    title="embed the rows whose vector is NULL",
    phase=Phase.DATA,
    needs=("database", "models", "environment", "chain", "texts"),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
    incremental=True,
)
