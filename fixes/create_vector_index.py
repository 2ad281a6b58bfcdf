"""Builds an HNSW index concurrently, and drops the remainder of a failed build first.

``CREATE INDEX CONCURRENTLY`` lets writes go on, but can fail half-way and leave an invalid index; that remainder is
dropped again. It is never hidden behind ``IF NOT EXISTS``.
"""

from hashlib import sha256

from doctor.api import (
    Database,
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    VectorColumn,
    Writers,
    counted,
    sql,
    vector_columns,
)

MAX_DIMENSIONS = {"vector": 2_000, "halfvec": 4_000}
"""Limits of HNSW by type (pgvector 0.8)."""

PARAMETERS = ((1_000, 16, 64), (100_000, 32, 128))
"""Rows up to which m and ef_construction are these; 48 and 200 beyond."""

MAX_NAME = 63
"""Bytes of a PostgreSQL identifier."""


async def plan(context: FixContext) -> Plan:
    """Look at the column's indexes again and write the statement."""
    database: Database = context.resources["database"]
    column = await _column(database, context)
    if any(index.is_usable for index in column.vector_indexes):
        return _plan_to_drop(column, str(context.arguments.get("replaces") or ""))
    if any(index.building for index in column.vector_indexes):
        raise RefusedError(f"an index on {column.name} is being built right now")
    if column.partitioned:
        raise RefusedError(f"{column.table_name} is partitioned: build an index on each partition, then attach them")
    if column.dimensions is None:
        raise RefusedError(f"{column.name} has no fixed number of dimensions: give the column's type one first")
    limit = MAX_DIMENSIONS.get(column.type, 0)
    if column.dimensions > limit:
        raise RefusedError(
            f"{column.dimensions} dimensions are too many for HNSW on {column.type} ({limit:,} at most)"
            + ("; index a cast to halfvec instead" if column.type == "vector" and column.dimensions <= 4_000 else "")
        )
    rows = await database.scalar(sql.SQL("SELECT count(*) FROM {}").format(column.quoted_table), timeout=30.0)
    m, ef = next(((m, ef) for limit, m, ef in PARAMETERS if rows <= limit), (48, 200))
    name = _name(column)
    statement = sql.SQL(
        "CREATE INDEX CONCURRENTLY {name} ON {table} USING hnsw ({column} {ops}) WITH (m = {m}, ef_construction = {ef})"
    ).format(
        name=sql.Identifier(name),
        table=column.quoted_table,
        column=sql.Identifier(column.column),
        ops=sql.SQL(f"{column.type}_cosine_ops"),
        m=sql.Literal(m),
        ef=sql.Literal(ef),
    )
    text = statement.as_string(None)
    return Plan(
        summary=f"build {name} over {counted(rows, 'row')}",
        preview=text + ";",
        touches=(f"index {column.schema}.{name}",),
        locks="none that reads or writes feel",
        estimate="about 0.3 to 0.6 s per 1,000 rows",
        payload=(f"{column.schema}.{name}", text),
    )


def _plan_to_drop(column: VectorColumn, broken: str) -> Plan:
    """Beside a usable index the remainder of a failed build is only in the way."""
    if broken not in {f"{column.schema}.{index.name}" for index in column.vector_indexes if index.is_broken}:
        raise NothingToDoError(f"{column.name} has a usable index")
    statement = sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(*broken.split(".", 1)))
    return Plan(
        summary=f"drop {broken}, which is invalid; {column.name} has a usable index beside it",
        preview=statement.as_string(None) + ";",
        touches=(f"index {broken}",),
        locks="none that reads or writes feel",
        payload=(broken, None),
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Build it, or drop what is in the way."""
    name, statement = plan.payload
    if statement is None:
        await writers.database.drop_invalid_index(name)
        return plan.summary
    writers.progress(f"building {name}")
    replaces = str(context.arguments.get("replaces") or "") or None
    await writers.database.create_index(name, statement, replaces=replaces)
    return plan.summary


def _name(column: VectorColumn) -> str:
    """Return a name of at most 63 bytes; one that has to be cut ends in a hash, so that it meets no other."""
    whole = f"{column.table}_{column.column}_hnsw_cosine"
    if len(whole.encode()) <= MAX_NAME:
        return whole
    digest = sha256(whole.encode()).hexdigest()[:8]
    return f"{whole.encode()[: MAX_NAME - 9].decode('utf-8', 'ignore')}_{digest}"


async def _column(database: Database, context: FixContext) -> VectorColumn:
    wanted = (context.arguments["table"], context.arguments["column"])
    for column in await vector_columns(database):
        if (column.table_name, column.column) == wanted:
            return column
    raise RefusedError(f"{wanted[0]}.{wanted[1]} is no vector column any more")


CREATE_VECTOR_INDEX = Fix(
    name="create-vector-index",
    title="build an HNSW index concurrently",
    phase=Phase.SCHEMA,
    needs=("database",),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
