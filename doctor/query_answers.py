"""Whether an index gives every row that a similarity query asks for: counted with it and without, from a stored vector.

A query is run only when it calls nothing but what is known to read, and when nothing in it is guessed: its filters get
values that are stored. At most four statements, each read-only and within the time limit of a question.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from doctor.late import sql
from doctor.query_plans import Planned
from doctor.resources.catalog import VectorColumn
from doctor.resources.database import Database, QueryFailed
from doctor.similarity_statements import Statement

EXACT = ("enable_indexscan", "enable_indexonlyscan")
"""Without these no vector index is used, and the answer is exact."""

LONGEST_PAGE = 1_000
"""Rows up to which those that a query gives are counted."""

ITERATIVE = {"hnsw": ("hnsw.iterative_scan", "strict_order"), "ivfflat": ("ivfflat.iterative_scan", "relaxed_order")}
"""What lets a scan go on until the LIMIT is filled, by the index's method; pgvector has it since 0.8."""

_RAREST = """
SELECT coalesce(
    (SELECT most[array_upper(most, 1)] FROM (
        SELECT most_common_vals::text::text[] AS most FROM pg_stats
        WHERE schemaname = {schema} AND tablename = {name} AND attname = {attribute}
     ) AS statistics),
    (SELECT {column}::text FROM {table} WHERE {column} IS NOT NULL LIMIT 1)
) AS value
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """Numbers of rows: ``given`` with the index, ``exact`` without it, ``iterating`` with a scan that goes on (None:
    not asked, or pgvector has none). ``filled`` are the columns whose filters got a stored value."""

    given: int
    exact: int
    iterating: int | None = None
    filled: tuple[str, ...] = ()


async def answer(
    database: Database, statement: Statement, plan: Planned, settings: Mapping[str, str] | None = None
) -> Answer | None:
    """Count what a statement gives that an index serves; None where it is not run. ``settings`` are the application's.

    The rest is not asked where the LIMIT is filled.

    Raises:
        DatabaseError: a question could not be answered in time.
    """
    columns = {name: (column, many) for name, column, many in plan.compared}
    if plan.index is None or not statement.only_reads or statement.bound - columns.keys():
        return None
    vector = await stored_vector(database, plan.column)
    values = {name: await _stored_value(database, plan.column, *columns[name]) for name in sorted(statement.bound)}
    known = {name: value for name, value in values.items() if value is not None}
    text = None if vector is None else statement.filled(vector, known)
    if text is None:
        return None
    filled = tuple(sorted({columns[name][0] for name in known}))
    counting = f"SELECT count(*) FROM (SELECT FROM ({text}) AS given LIMIT {LONGEST_PAGE}) AS page".encode()
    given = await _count(database, counting, settings)
    if statement.limit is not None and given >= min(statement.limit, LONGEST_PAGE):
        return Answer(given, given, filled=filled)
    (exact,) = await database.fetch(counting, switched_off=EXACT)
    iterating = None
    if given < exact["count"] and (setting := ITERATIVE.get(plan.index.method)):
        with suppress(QueryFailed):  # an older pgvector does not know it, and it may take too long
            iterating = await _count(database, counting, {**(settings or {}), setting[0]: setting[1]})
    return Answer(given, exact["count"], iterating, filled)


async def stored_vector(database: Database, column: VectorColumn) -> str | None:
    """Return a stored vector with a length, as a literal of SQL; None where the table begins with none.

    Raises:
        DatabaseError: the question could not be answered.
    """
    norm = "vector_norm" if column.type == "vector" else "l2_norm"
    query = sql.SQL(
        "SELECT vector::text FROM (SELECT {column} AS vector FROM {table} WHERE {column} IS NOT NULL LIMIT 100) AS few"
        " WHERE {norm}(vector) > 0 LIMIT 1"
    ).format(column=sql.Identifier(column.column), table=column.quoted_table, norm=sql.Identifier(norm))
    vector = await database.scalar(query)
    return None if vector is None else f"{sql.Literal(vector).as_string(None)}::{column.type}"


async def _stored_value(database: Database, column: VectorColumn, attribute: str, many: bool) -> str | None:
    """Return the rarest of the frequent values of a column, as a literal that PostgreSQL gives its type."""
    query = sql.SQL(_RAREST).format(
        schema=sql.Literal(column.schema),
        name=sql.Literal(column.table),
        attribute=sql.Literal(attribute),
        column=sql.Identifier(attribute),
        table=column.quoted_table,
    )
    value = await database.scalar(query)
    if value is None:
        return None
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return sql.Literal(f'{{"{escaped}"}}' if many else str(value)).as_string(None)


async def _count(database: Database, counting: bytes, settings: Mapping[str, str] | None) -> int:
    (row,) = await database.fetch(counting, settings=settings)
    return int(row["count"])
