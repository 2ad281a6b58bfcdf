"""Embeds the rows whose vector is NULL, in batches, with the model that the target is configured to use.

Nothing has to be described for it: the columns come from the catalog, the text and the model from the environment and
the source, and the plan shows both. Rows that the chain will still take up are left to it; of a column that no chain
fills, those of the last ten minutes.

No lock is held while the model works: a batch is read, embedded, checked, and written in one short transaction, only
where the vector is still NULL and the text unchanged. A text that the model server refuses, or a row that the database
refuses, is found by halving its batch, and left out; both servers may be away for some seconds.

It can be stopped, killed and run again, and beside live workers. Up to a thousand rows one process does it alone.
Beyond, `--workers` batches are embedded at once, and the same command on another machine joins in: they share the rows
by leases in a table `doctor_backfill_…`, which the last one takes away again.
"""

from __future__ import annotations

import math
from dataclasses import replace

from doctor.api import (
    Backfill,
    Database,
    DatabaseError,
    EmbeddingModel,
    Fix,
    FixContext,
    FixError,
    ModelError,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    UnknownTextError,
    VectorColumn,
    Workers,
    Writers,
    chain_of,
    column_types,
    counted,
    embedding_model,
    readable,
    recent_rows,
    sql,
    vector_columns,
)

_MAY_WRITE = """
SELECT has_column_privilege(%(table)s, %(column)s, 'UPDATE') AS granted,
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean AS read_only
"""


async def plan(context: FixContext) -> Plan:
    """Count the rows, choose the model, and embed one word to see that its dimensions fit."""
    model = _model(context)
    job = await _job(context, model)
    (probe,) = await job.server.embed(job.model, ["doctor"])
    if len(probe) != job.column.dimensions:
        raise RefusedError(
            f"`{job.model}` gives {len(probe)} dimensions, {job.column.name} takes {job.column.dimensions}; "
            "choose another model or another column, the doctor never pads"
        )
    limits = context.limits
    table, column, size = job.column.table_name, readable(job.column.column), limits.batch_size
    wanted = job.rows if limits.limit is None else min(job.rows, limits.limit)
    batches = math.ceil(wanted / size)
    rows = counted(wanted, "row")
    return Plan(
        summary=f"embed {rows} of {table} with `{job.model}`, {counted(batches, 'batch', 'batches')} of {size}",
        preview=f"UPDATE {readable(table)} SET {column} = … WHERE {column} IS NULL;  -- {rows}\n"
        f"-- text: {job.text}; model: {job.model} ({model.origin}) at {model.server.endpoint.address}",
        touches=(f"{rows} of {job.column.table_name}",),
        locks="the rows of one batch, for milliseconds",
        estimate="depends on the model; one real call was made to plan this",
        payload=job,
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Embed range after range until none is left.

    Raises:
        FixError: when nothing could be written, or a server stopped answering or refuses; it says how far it got.
    """
    job: Backfill = plan.payload
    async with writers.database.leases(job.divided(context.limits)) as leases:
        workers = Workers(job, context.resources["database"], context.limits, writers, leases)
        try:
            await workers.work()
        except (FixError, ModelError, DatabaseError) as error:
            raise FixError(f"{error} ({workers.tally})") from error
    if workers.tally.failed and not workers.tally.written:
        raise FixError(str(workers.tally))
    return str(workers.tally)


def _model(context: FixContext) -> EmbeddingModel:
    resources = context.resources
    found = embedding_model(resources["environment"], resources["models"], resources.get("source"))
    if found is None:
        raise RefusedError(
            "neither the environment nor the source names one embedding model on an Ollama server: set OLLAMA_HOST and "
            "OLLAMA_EMBEDDING_MODEL, so that the doctor embeds as the target does"
        )
    return found


async def _job(context: FixContext, model: EmbeddingModel) -> Backfill:
    database: Database = context.resources["database"]
    column = await _column(database, f"{context.arguments['table']}.{context.arguments['column']}")
    types = await column_types(database, column)
    try:
        text = context.resources["texts"].of(column, types)
    except UnknownTextError as error:
        raise RefusedError(str(error)) from error
    if text is None or len(column.primary_key) != 1:
        raise RefusedError(f"{column.table_name} has no text column that the doctor knows, or no simple primary key")
    due = sql.SQL("NOT ") + recent_rows(chain_of(context.resources.get("chain"), column), types)
    job = Backfill(column, types[column.primary_key[0]], text, due, model.name, model.server)
    job = replace(job, rows=await job.count(database))
    if not job.rows:
        raise NothingToDoError(f"no row of {column.table_name} lacks a vector any more")
    return job


async def _column(database: Database, name: str) -> VectorColumn:
    """Return the column, when it can be written."""
    column = next((each for each in await vector_columns(database) if each.name == name), None)
    if column is None:
        raise RefusedError(f"{name} is no vector column any more")
    asked = {"table": readable(column.table_name), "column": column.column}
    may = await database.fetch_one(_MAY_WRITE, asked)
    if may is None or not may["granted"]:
        raise RefusedError(f"this role may not write {name}: GRANT UPDATE on it, or name another role")
    if may["read_only"]:
        raise RefusedError("this server, or this role, is read-only: name the primary server, or another role")
    return column


BACKFILL_EMBEDDINGS = Fix(
    name="backfill-embeddings",
    title="embed the rows whose vector is NULL",
    phase=Phase.DATA,
    needs=("database", "models", "environment", "texts"),
    optional=("chain", "source"),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
    incremental=True,
)
