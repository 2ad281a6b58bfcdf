"""Gives a vector column that holds no vector yet the number of dimensions of the model.

The table is locked for the moment in which it is written anew, and the lock is waited for five seconds at most. A
column that holds a single vector is refused, also when that one came after the plan: no vector is ever destroyed. Undo
gives the column its earlier number, unless vectors have come in.
"""

from doctor.api import (
    Database,
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    Writers,
    find_column,
    readable,
    sql,
)

LARGEST = 256 << 20
"""Bytes of heap up to which a table is written anew while everybody waits: one to three seconds."""


async def plan(context: FixContext) -> Plan:
    """Look at the column again and write the statement."""
    database: Database = context.resources["database"]
    wanted = int(str(context.arguments["dimensions"]))
    column = await find_column(database, context.arguments["table"], context.arguments["column"])
    if column.dimensions == wanted:
        raise NothingToDoError(f"{column.name} takes {wanted} dimensions")
    if column.dimensions is None or column.partition:
        raise RefusedError(f"{column.name} has no number of dimensions, or is part of another table; change it by hand")
    if column.heap_bytes > LARGEST:
        raise RefusedError(f"{column.table_name} is too large to be locked while it is written anew; add a column")
    held = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NOT NULL)")
    if await database.scalar(held.format(column.quoted_table, sql.Identifier(column.column))):
        raise RefusedError(f"{column.name} holds vectors by now; add a second column beside it")
    table, name, kind = readable(column.table_name), readable(column.column), f"{column.type}({wanted})"
    return Plan(
        summary=f"change {column.name} from {column.type}({column.dimensions}) to {kind}",
        preview=f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind};  -- it holds no vector\n"
        f"-- Alembic: op.alter_column({column.table!r}, {column.column!r}, schema={column.schema!r}, "
        f"type_={column.type.upper()}({wanted}))",
        touches=(f"the type of {column.name}",),
        locks="the whole table, for reads and writes, while it is written anew",
        estimate=f"{column.heap_bytes / (1 << 20):.1f} MB and its indexes are written anew",
        payload=(column.table_name, column.column, column.dimensions, wanted),
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Change the type."""
    await writers.database.retype_vectors(*plan.payload)
    return plan.summary


RETYPE_VECTOR_COLUMN = Fix(
    name="retype-vector-column",
    title="give an empty vector column another number of dimensions",
    phase=Phase.CONFIGURATION,
    needs=("database",),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
