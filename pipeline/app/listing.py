"""Rows of the pipeline's tables, newest first. Table and column names come from the code, values are bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql
from psycopg.rows import DictRow

from .database import connection

# By the primary key: no row is read that is not shown, however long the table is.
LIST_NEWEST = sql.SQL("SELECT {columns} FROM {table} WHERE {conditions} ORDER BY id DESC LIMIT %(limit)s")


async def newest_rows(
    table: str, columns: Iterable[str], *, where: Mapping[str, object], after: int | None, limit: int
) -> list[DictRow]:
    """Return up to ``limit`` rows below the id ``after``, newest first.

    Args:
        table: its key is ``id``.
        columns: what is returned of a row.
        where: columns and the values that they must have; None asks for nothing.
        after: the last id of the page before.
        limit: the most rows.

    Raises:
        psycopg.Error: the database cannot answer.
    """
    wanted = {column: value for column, value in where.items() if value is not None}
    conditions: list[sql.Composable] = [sql.SQL("true")]
    conditions += [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in wanted]
    if after is not None:
        conditions.append(sql.SQL("id < %(after)s"))
    statement = LIST_NEWEST.format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        conditions=sql.SQL(" AND ").join(conditions),
    )
    async with connection() as database:
        return await (await database.execute(statement, {**wanted, "after": after, "limit": limit})).fetchall()
