"""Faults in one column of ``agent_configs``: the earlier value of each row is remembered and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from doctor.pipeline.sandbox.memory import forget, recall, remember

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

READ = "SELECT id::text, {column} FROM agent_configs WHERE name = %(name)s AND {column} IS DISTINCT FROM %(broken)s"
WRITE = """
    UPDATE agent_configs SET {column} = %(new)s
    WHERE id = %(id)s::uuid AND {column} IS NOT DISTINCT FROM %(old)s
"""


def break_column(sandbox: Sandbox, fault: str, agent: str, column: LiteralString, broken: bool | str) -> None:
    """Set a column of an agent configuration to a broken value; the memory is written before the table."""
    read, write = (sql.SQL(text).format(column=sql.Identifier(column)) for text in (READ, WRITE))
    with sandbox.connect() as connection, connection.transaction():
        rows = connection.execute(read, {"name": agent, "broken": broken}).fetchall()
        earlier = recall(sandbox, fault)
        remember(sandbox, fault, {**earlier, **{str(row_id): value for row_id, value in rows}})
        for row_id, value in rows:
            connection.execute(write, {"id": row_id, "old": value, "new": broken})


def heal_column(sandbox: Sandbox, fault: str, column: LiteralString, broken: bool | str) -> None:
    """Give the rows that still have the broken value their earlier one; what somebody repaired stays as it is."""
    earlier = recall(sandbox, fault)
    if not earlier:
        return
    write = sql.SQL(WRITE).format(column=sql.Identifier(column))
    with sandbox.connect() as connection, connection.transaction():
        for row_id, value in earlier.items():
            connection.execute(write, {"id": row_id, "old": broken, "new": value})
    forget(sandbox, fault)
