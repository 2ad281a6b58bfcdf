"""A table of vectors beside those of the pipeline, for faults of an index: short vectors, so that it is made at once.

Each fault has its own, under its own name; the pipeline knows nothing of it, and finds nothing missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from doctor.pipeline.sandbox.made_atoms import SOUND

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

SHORT = 8
"""Numbers of a vector, unless a fault needs more."""

CREATE: LiteralString = (
    "CREATE TABLE {table} (id bigint NOT NULL, content text NOT NULL, embedding vector({dimensions})) {kind}"
)
FILL: LiteralString = """
    INSERT INTO {{table}} SELECT n, 'Remark ' || n, {vector}
    FROM generate_series(1, {{rows}}) AS n, (SELECT {{dimensions}} AS d) AS embedding_column
"""
EXISTS: LiteralString = "SELECT to_regclass({name}) IS NOT NULL"


def make_side_table(
    sandbox: Sandbox,
    table: LiteralString,
    *then: LiteralString,
    rows: int = 0,
    dimensions: int = SHORT,
    partitioned_by: LiteralString = "",
) -> None:
    """Make a table, run what its fault needs done to it, fill it and analyse it; one that is there stays as it is.

    ``then`` are statements in which ``{table}`` stands for it; ``partitioned_by`` is what follows ``PARTITION BY``.
    """
    names = {"table": sql.Identifier(table), "name": sql.Literal(table), "dimensions": sql.Literal(dimensions)}
    kind = sql.SQL(f"PARTITION BY {partitioned_by}" if partitioned_by else "")
    with sandbox.connect() as connection, connection.transaction():
        if connection.execute(sql.SQL(EXISTS).format(**names)).fetchone() == (True,):
            return
        connection.execute(sql.SQL(CREATE).format(**names, kind=kind))
        for statement in then:
            connection.execute(sql.SQL(statement).format(**names))
        connection.execute(sql.SQL(FILL.format(vector=SOUND)).format(**names, rows=sql.Literal(rows)))
        connection.execute(sql.SQL("ANALYZE {table}").format(**names))


def drop_side_table(sandbox: Sandbox, table: LiteralString) -> None:
    """Drop a table that :func:`make_side_table` made, with what was built on it."""
    with sandbox.connect() as connection:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table)))
