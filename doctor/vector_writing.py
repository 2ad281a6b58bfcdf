"""Writes vectors where there are none, in batches, and takes exactly these back."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from doctor.fix import RefusedError
from doctor.late import sql
from doctor.resources.catalog import identifier
from doctor.wording import counted

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_BINARY = "binary"
"""How the hashes of an entry were made: of the vector as it is sent, not of its text, which takes twenty times as long.
Entries of earlier versions do not say so."""

_SEND = {"vector": "vector_send", "halfvec": "halfvec_send", "sparsevec": "sparsevec_send"}

BY_KEY = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
"""Before :func:`fill`: rows are looked up by their primary key. A hash join, which the planner likes where statistics
are old, would read the whole table and compute the md5 of each text for every batch."""

_FILL = """
    WITH written AS (
        UPDATE {table} AS t SET {column} = u.vector::{type}
        FROM unnest(%b::{key_type}[], %b::text[], %b::vector[]) AS u (key, hash, vector)
        WHERE t.{key} = u.key AND t.{column} IS NULL AND md5({content}) = u.hash
        RETURNING t.{key}::text AS key, md5({send}(t.{column})) AS hash
    ) SELECT key, hash FROM written
"""

_STILL_FILLED = """
    SELECT count(*) FROM {table} AS t JOIN unnest(%s::text[]) AS u (key) ON t.{key} = u.key::{key_type}
    WHERE t.{column} IS NOT NULL
"""

_EMPTY = """
    UPDATE {table} AS t SET {column} = NULL
    FROM unnest(%s::text[], %s::text[]) AS u (key, hash)
    WHERE t.{key} = u.key::{key_type} AND md5({hashed}) = u.hash
"""


async def fill(
    connection: AsyncConnection[Any],
    types: Mapping[str, str],
    table: str,
    key: str,
    column: str,
    content: str,
    rows: Sequence[tuple[Any, str, Sequence[float]]],
) -> dict[str, Any] | None:
    """Write vectors (key, md5 of what was embedded, vector) where the column is still NULL and the content unchanged.

    ``types`` are those of the table's columns. Returns the entry for the journal; None when nothing was written.
    """
    kind = types[column].partition("(")[0]
    statement = sql.SQL(_FILL).format(
        table=identifier(table),
        column=sql.Identifier(column),
        type=sql.SQL(types[column]),
        key=sql.Identifier(key),
        key_type=sql.SQL(types[key]),
        content=sql.SQL(content),
        send=sql.SQL(_SEND[kind.rpartition(".")[2]]),
    )
    keys, hashes = [row[0] for row in rows], [row[1] for row in rows]
    cursor = await connection.execute(statement, [keys, hashes, packed_vectors(connection, [row[2] for row in rows])])
    written = [list(row) for row in await cursor.fetchall()]
    if not written:
        return None
    return {"kind": "vectors", "table": table, "key": key, "column": column, "hashed": _BINARY, "rows": written}


def packed_vectors(connection: AsyncConnection[Any], vectors: Sequence[Sequence[float]]) -> object:
    """Return a parameter of the type ``vector[]``, in binary, made at once.

    An object for each vector, an array in it and its copy took half of the time of a backfill.
    """
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    class Packed(bytes):
        """One binary array of vectors."""

    info = connection.adapters.types["vector"]

    class PackedDumper(Dumper):
        oid = info.array_oid
        format = Format.BINARY

        def dump(self, obj: bytes) -> bytes:
            return obj

    connection.adapters.register_dumper(Packed, PackedDumper)
    head = struct.pack(">iiIii", 1, 0, info.oid, len(vectors), 1)  # dimensions, NULLs, type; length, lower bound
    return Packed(head + b"".join(map(_packed, vectors)))


def _packed(vector: Sequence[float]) -> bytes:
    """Return a vector as ``vector_recv`` of pgvector reads it, after its length in bytes."""
    size = len(vector)
    return struct.pack(f">iHH{size}f", 4 + 4 * size, size, 0, *vector)


async def empty(connection: AsyncConnection[Any], types: Mapping[str, str], entry: Mapping[str, Any]) -> str | None:
    """Take the vectors of a journal's entry back; return what was done, None when there was nothing to do.

    Raises:
        RefusedError: some of them have changed since; they stay, the others are gone.
    """
    rows, table, column = entry["rows"], entry["table"], sql.Identifier(entry["column"])
    kind = types[entry["column"]].partition("(")[0].rpartition(".")[2]
    as_sent = sql.SQL("{}(t.{})").format(sql.SQL(_SEND[kind]), column)
    names = {
        "table": identifier(table),
        "column": column,
        "key": sql.Identifier(entry["key"]),
        "key_type": sql.SQL(types[entry["key"]]),
        "hashed": as_sent if entry.get("hashed") == _BINARY else sql.SQL("t.{}::text").format(column),
    }
    statement, still = sql.SQL(_EMPTY).format(**names), sql.SQL(_STILL_FILLED).format(**names)
    cursor = await connection.execute(statement, [[row[0] for row in rows], [row[1] for row in rows]])
    changed = await (await connection.execute(still, [[row[0] for row in rows]])).fetchone()
    if changed and changed[0]:
        raise RefusedError(f"{counted(changed[0], 'vector')} of {table} changed since; the others were emptied")
    return f"{counted(cursor.rowcount, 'vector')} of {table} emptied" if cursor.rowcount else None
