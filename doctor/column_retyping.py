"""Gives a vector column without a single vector another number of dimensions, and takes exactly that back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from doctor.fix import RefusedError
from doctor.late import sql
from doctor.resources.catalog import identifier

if TYPE_CHECKING:
    from psycopg import AsyncConnection

LOCK_TIMEOUT = "5s"
"""How long the statement waits for the whole table; whoever comes after it waits as long."""

_COLUMN = """
SELECT format_type(atttypid, NULL), atttypmod, attstorage::text
FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s AND NOT attisdropped
"""

_STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "x": "EXTENDED", "m": "MAIN"}


async def retype(connection: AsyncConnection[Any], table: str, column: str, before: int, after: int) -> dict[str, Any]:
    """Change the number of dimensions within the caller's transaction; return the entry for the journal.

    Raises:
        RefusedError: the column has another number by now, or holds a vector.
        psycopg.Error: another object forbids it, such as a view; or the lock was not to be had.
    """
    await connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(LOCK_TIMEOUT))
    await connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(identifier(table)))
    kind, dimensions, storage = await _column(connection, table, column)
    if dimensions != before:
        raise RefusedError(f"{table}.{column} has {dimensions} dimensions by now, not {before}; it is left alone")
    names = {"table": identifier(table), "column": sql.Identifier(column)}
    filled = sql.SQL("SELECT EXISTS (SELECT FROM {table} WHERE {column} IS NOT NULL)").format(**names)
    if (await (await connection.execute(filled)).fetchone() or (True,))[0]:
        raise RefusedError(f"{table}.{column} holds vectors, which another type would refuse; it is left alone")
    change = sql.SQL("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}({dimensions})")
    await connection.execute(change.format(**names, kind=sql.SQL(kind), dimensions=sql.Literal(after)))
    # Another type brings its own storage with it.
    keep = sql.SQL("ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {storage}")
    await connection.execute(keep.format(**names, storage=sql.SQL(_STORAGE[storage])))
    return {"kind": "retyped", "table": table, "column": column, "before": before, "after": after}


async def restore(connection: AsyncConnection[Any], entry: Mapping[str, Any]) -> str | None:
    """Give the column its earlier number again; None where it has it.

    Raises:
        RefusedError: the column has yet another number by now, or holds a vector.
    """
    table, column, before, after = entry["table"], entry["column"], int(entry["before"]), int(entry["after"])
    _, dimensions, _ = await _column(connection, table, column)
    if dimensions == before:
        return None
    await retype(connection, table, column, after, before)
    return f"{table}.{column} has {before} dimensions again"


async def _column(connection: AsyncConnection[Any], table: str, column: str) -> tuple[str, int, str]:
    cursor = await connection.execute(_COLUMN, [identifier(table).as_string(None), column])
    found = await cursor.fetchone()
    if found is None:
        raise RefusedError(f"{table} has no column {column} any more")
    kind, dimensions, storage = found
    return kind, dimensions, storage
