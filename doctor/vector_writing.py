"""Writes vectors where there are none, in batches, and takes exactly these back."""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from doctor.fix import RefusedError
from doctor.late import sql
from doctor.resources.catalog import identifier
from doctor.resources.statement_template import rendered, template
from doctor.wording import counted

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.adapt import Dumper

_HASHED = {
    None: "md5({vector}::text)",
    "binary": "md5({send}({vector}))",
    "sha256": "encode(sha256({send}({vector})), 'hex')",
}
"""How the hashes of an entry were made, in SQL. Earlier versions took the first, or the second, which says so."""

_SEND = {"vector": "vector_send", "halfvec": "halfvec_send", "sparsevec": "sparsevec_send"}

BY_KEY = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
"""Before :func:`fill`: rows are looked up by their primary key. A hash join, which the planner likes where statistics
are old, would read the whole table and compute the hash of each text for every batch."""

_FILL = """
    UPDATE {table} AS t SET {column} = u.doctor_vector::{type}
    FROM unnest(%b::{key_type}[], %b::bytea[], %b::vector[]) WITH ORDINALITY
        AS u (doctor_key, doctor_hash, doctor_vector, doctor_place)
    WHERE t.{key} = u.doctor_key AND t.{column} IS NULL AND sha256(convert_to({content}, 'UTF8')) = u.doctor_hash
    RETURNING u.doctor_place - 1, t.{key}::text, {stored}
"""

_OTHER_THAN_SENT = "CASE WHEN t.{column} <> u.doctor_vector THEN {hashed} END"
"""The hash of what stands in the row, where it is not what was sent: a trigger of the application changed it. Where it
is, it is computed here, in a quarter of the time."""

_STILL_FILLED = """
    SELECT count(*) FROM {table} AS t JOIN unnest(%s::text[]) AS u (key) ON t.{key} = u.key::{key_type}
    WHERE t.{column} IS NOT NULL
"""

_EMPTY = """
    UPDATE {table} AS t SET {column} = NULL
    FROM unnest(%s::text[], %s::text[]) AS u (key, hash)
    WHERE t.{key} = u.key::{key_type} AND {hashed} = u.hash
"""


async def fill(
    connection: AsyncConnection[Any],
    types: Mapping[str, str],
    table: str,
    key: str,
    column: str,
    content: str,
    rows: Sequence[tuple[Any, bytes, bytes]],
) -> dict[str, Any] | None:
    """Write packed vectors where the column is still NULL and the content unchanged.

    ``rows`` are key, SHA-256 of what was embedded, and vector, all of one size; the hash is that of UTF-8, whatever the
    encoding of the database. ``types`` are those of the table's columns. Returns the entry for the journal; None when
    nothing was written.
    """
    statement = _fill_statement(table, key, types[key], column, types[column], content)
    keys, hashes, vectors = (list(each) for each in zip(*rows, strict=True))
    sent = [keys, _array(connection, "bytea", hashes), _array(connection, "vector", vectors)]
    cursor = await connection.execute(statement, sent)
    written = [[name, stored or _hash(vectors[place])] for place, name, stored in await cursor.fetchall()]
    if not written:
        return None
    return {"kind": "vectors", "table": table, "key": key, "column": column, "hashed": "sha256", "rows": written}


@functools.lru_cache
def _fill_statement(table: str, key: str, key_type: str, column: str, column_type: str, content: str) -> sql.SQL:
    kind = _kind(column_type)
    stored = sql.SQL(_OTHER_THAN_SENT if kind == "vector" else "{hashed}").format(
        column=sql.Identifier(column), hashed=_hash_of_stored("sha256", kind, column)
    )
    statement = sql.SQL(_FILL).format(
        table=identifier(table),
        column=sql.Identifier(column),
        type=sql.SQL(column_type),
        key=sql.Identifier(key),
        key_type=sql.SQL(key_type),
        content=sql.SQL(content.replace("%", "%%")),
        stored=stored,
    )
    return rendered(statement)


def _kind(column_type: str) -> str:
    """Return ``halfvec`` of ``extensions.halfvec(384)``."""
    return column_type.partition("(")[0].rpartition(".")[2]


def _hash_of_stored(hashed: str | None, kind: str, column: str) -> sql.Composed:
    return sql.SQL(_HASHED[hashed]).format(
        send=sql.SQL(_SEND[kind]), vector=sql.SQL("t.{}").format(sql.Identifier(column))
    )


def _hash(packed: bytes) -> str:
    return hashlib.sha256(packed).hexdigest()


def _array(connection: AsyncConnection[Any], element: str, packed: Sequence[bytes]) -> object:
    """Make one parameter, an array in binary, of elements of one type and size that are packed already.

    psycopg would call a dumper for each element; that took half of the time of a backfill.
    """
    info = connection.adapters.types[element]
    array, dumper = _array_type(info.array_oid)
    connection.adapters.register_dumper(array, dumper)
    head = struct.pack(">iiIii", 1, 0, info.oid, len(packed), 1)  # dimensions, NULLs, type; length, from
    size = struct.pack(">i", len(packed[0]))
    return array(size.join([head, *packed]))


@functools.cache
def _array_type(oid: int) -> tuple[type[Any], type[Dumper]]:
    """Return a type whose objects hold bytes that stand for themselves as a binary array of the type ``oid``."""
    from psycopg.adapt import Dumper
    from psycopg.pq import Format

    @dataclass(frozen=True, slots=True)
    class Packed:
        data: bytes

    class PackedDumper(Dumper):
        format = Format.BINARY

        def dump(self, obj: Packed) -> bytes:
            return obj.data

    PackedDumper.oid = oid
    return Packed, PackedDumper


async def empty(connection: AsyncConnection[Any], types: Mapping[str, str], entry: Mapping[str, Any]) -> str | None:
    """Take the vectors of a journal's entry back; return what was done, None when there was nothing to do.

    Raises:
        RefusedError: some of them have changed since; they stay, the others are gone.
    """
    rows, table, column = entry["rows"], entry["table"], sql.Identifier(entry["column"])
    kind = _kind(types[entry["column"]])
    names = {
        "table": identifier(table),
        "column": column,
        "key": sql.Identifier(entry["key"]),
        "key_type": sql.SQL(types[entry["key"]]),
        "hashed": _hash_of_stored(entry.get("hashed"), kind, entry["column"]),
    }
    statement, still = sql.SQL(_EMPTY).format(**names), sql.SQL(_STILL_FILLED).format(**names)
    cursor = await connection.execute(template(statement), [[row[0] for row in rows], [row[1] for row in rows]])
    changed = await (await connection.execute(template(still), [[row[0] for row in rows]])).fetchone()
    if changed and changed[0]:
        raise RefusedError(f"{counted(changed[0], 'vector')} of {table} changed since; the others were emptied")
    return f"{counted(cursor.rowcount, 'vector')} of {table} emptied" if cursor.rowcount else None
