"""Rows that people configure (providers, agents): list, create, change. Column names come from request models only."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from psycopg import errors, sql
from psycopg.rows import DictRow

from .database import connection

LIST_ROWS = sql.SQL("""
    SELECT * FROM {table} WHERE %(after)s::text IS NULL OR name > %(after)s ORDER BY name LIMIT %(limit)s
""")
GET_ROW = sql.SQL("SELECT * FROM {table} WHERE id = %(id)s")
CREATE_ROW = sql.SQL("INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING *")
UPDATE_ROW = sql.SQL("UPDATE {table} SET {changes}, {stamp} = now() WHERE id = %(id)s RETURNING *")


class ConflictError(Exception):
    """The row cannot be written beside those that exist: its name is taken, or it points at a missing row."""


async def list_rows(table: sql.Identifier, after: str | None, limit: int) -> list[DictRow]:
    """Return up to ``limit`` rows by name, those behind the name ``after``."""
    async with connection() as database:
        values = {"after": after, "limit": limit}
        return await (await database.execute(LIST_ROWS.format(table=table), values)).fetchall()


async def get_row(table: sql.Identifier, row_id: UUID) -> DictRow | None:
    """Return one row, or None."""
    async with connection() as database:
        return await (await database.execute(GET_ROW.format(table=table), {"id": row_id})).fetchone()


async def create_row(table: sql.Identifier, values: Mapping[str, object]) -> DictRow:
    """Insert a row and return it.

    Raises:
        ConflictError: the name is taken, or a row that it points at does not exist.
    """
    statement = CREATE_ROW.format(
        table=table,
        columns=sql.SQL(", ").join(map(sql.Identifier, values)),
        values=sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    row = await _write(statement, values)
    assert row is not None  # RETURNING gives the row
    return row


async def update_row(table: sql.Identifier, row_id: UUID, values: Mapping[str, object], stamp: str) -> DictRow | None:
    """Change the given columns, set the time stamp column ``stamp``, and return the row; None when there is none.

    Raises:
        ConflictError: the new name is taken, or a row that it points at does not exist.
    """
    if not values:
        return await get_row(table, row_id)
    changes = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in values
    )
    statement = UPDATE_ROW.format(table=table, changes=changes, stamp=sql.Identifier(stamp))
    return await _write(statement, {**values, "id": row_id})


async def _write(statement: sql.Composed, values: Mapping[str, object]) -> DictRow | None:
    try:
        async with connection() as database:
            return await (await database.execute(statement, values)).fetchone()
    except errors.UniqueViolation as error:
        raise ConflictError("that name is taken") from error
    except errors.ForeignKeyViolation as error:
        raise ConflictError("there is no such provider") from error
