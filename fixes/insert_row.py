"""Inserts one row that the application needs and cannot do without, such as an agent configuration.

The values come from the finding, which took them from `doctor.toml`. Undo removes the row, unless somebody changed it
since.
"""

from doctor.api import (
    Database,
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    Writers,
    identifier,
    readable,
    sql,
)


async def plan(context: FixContext) -> Plan:
    """See that no such row exists by now, and show the statement."""
    table, row, _, unique = _arguments(context)
    database: Database = context.resources["database"]
    query = sql.SQL("SELECT 1 AS found FROM {} WHERE {} = %s").format(identifier(table), sql.Identifier(unique))
    if await database.fetch_one(query, [row[unique]]):
        raise NothingToDoError(f"{table} has a row with {unique} {row[unique]!r} by now")
    columns = ", ".join(map(readable, sorted(row)))
    values = ", ".join(sql.Literal(row[column]).as_string(None) for column in sorted(row))
    return Plan(
        summary=f"insert {unique} {row[unique]!r} into {table}",
        preview=f"INSERT INTO {readable(table)} ({columns}) VALUES ({values});",
        touches=(f"1 new row of {table}",),
        locks="none that the application feels",
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Insert it."""
    table, row, key, _ = _arguments(context)
    made = await writers.database.insert_row(table, row, key)
    return f"{plan.summary}: {', '.join(f'{column} {value}' for column, value in made.items())}"


def _arguments(context: FixContext) -> tuple[str, dict[str, object], list[str], str]:
    arguments = context.arguments
    row, key = arguments["row"], arguments["key"]
    assert isinstance(row, dict)
    assert isinstance(key, list)
    return str(arguments["table"]), dict(row), [str(column) for column in key], str(arguments["unique"])


INSERT_ROW = Fix(
    name="insert-row",
    title="insert one row that the application needs",
    phase=Phase.CONFIGURATION,
    needs=("database",),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
