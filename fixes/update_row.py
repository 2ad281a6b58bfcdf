"""Changes columns of one existing row: activates an agent configuration, or points it at another model.

A model that the row is to name must answer once before. The row must still hold what the finding saw; undo puts the
old values back, unless somebody changed the row since.
"""

from doctor.api import (
    Database,
    Environment,
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    ServerFinder,
    Writers,
    identifier,
    readable,
    sql,
)


async def plan(context: FixContext) -> Plan:
    """Read the row again and say which columns change."""
    database: Database = context.resources["database"]
    table, key, before, after = _arguments(context)
    columns = sorted(after)
    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        identifier(table),
        sql.SQL(" AND ").join(sql.SQL("{}::text = %s").format(sql.Identifier(column)) for column in key),
    )
    row = await database.fetch_one(query, list(key.values()))
    if row is None:
        raise RefusedError(f"the row of {table} is gone; run `doctor check` again")
    if row == {column: after[column] for column in columns}:
        raise NothingToDoError("the row already has these values")
    if any(row[column] != value for column, value in before.items()):
        raise RefusedError(f"the row of {table} has changed since the check; run `doctor check` again")
    proof = await _proof(context)
    sets = ", ".join(f"{readable(column)} = {_literal(after[column])}" for column in columns)
    where = " AND ".join(f"{readable(column)} = {_literal(value)}" for column, value in key.items())
    was = ", ".join(f"{readable(column)} = {_literal(row[column])}" for column in columns)
    return Plan(
        summary=f"set {sets} in one row of {table}",
        preview=f"UPDATE {readable(table)} SET {sets} WHERE {where};\n-- before: {was}{proof}",
        touches=(f"1 row of {table}",),
        locks="one row, for milliseconds",
        payload=row,
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Write the row."""
    table, key, _, after = _arguments(context)
    await writers.database.update_row(table, key, plan.payload, after)
    return plan.summary


async def _proof(context: FixContext) -> str:
    """Let a model that the row is to name answer once; a row must not name a model that cannot do its job.

    Raises:
        ModelError: when it does not answer.
    """
    url, model = context.arguments.get("server"), context.arguments.get("model")
    if not url or not model:
        return ""
    environment: Environment = context.resources["environment"]
    finder = ServerFinder(context.resources["models"], environment)
    key_env = str(context.arguments.get("key_env") or "")
    key = environment.secret(key_env) if key_env else None
    server = finder.at(str(context.arguments.get("kind") or "ollama"), str(url), "", key)
    if server is None:
        raise RefusedError(f"{url} is of a kind that cannot be asked")
    await server.generate(str(model), "Answer with one word: ready?")
    return f"\n-- one real generation by {model} was made to plan this"


def _arguments(context: FixContext) -> tuple[str, dict[str, str], dict[str, object], dict[str, object]]:
    arguments = context.arguments
    key, before, after = arguments["key"], arguments["before"], arguments["after"]
    assert isinstance(key, dict)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    return str(arguments["table"]), {column: str(value) for column, value in key.items()}, dict(before), dict(after)


def _literal(value: object) -> str:
    return sql.Literal(value).as_string(None)


UPDATE_ROW = Fix(
    name="update-row",
    title="change columns of one existing row",
    phase=Phase.CONFIGURATION,
    needs=("database", "models", "environment"),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
