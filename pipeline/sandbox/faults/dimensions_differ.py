"""The column for the vectors of messages takes 1,536 dimensions, and the model gives 768.

Every write fails with `expected 1536 dimensions, not 768`; messages are received, scored and assigned, and search finds
none of them. This is what stays of a migration that was written for another model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.memory import forget, recall, remember

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "dimensions-differ"
TAKEN = 1_536

DIMENSIONS = """
    SELECT atttypmod FROM pg_attribute WHERE attrelid = 'messages'::regclass AND attname = 'embedding'
"""
VECTORS = "SELECT id::text, embedding::text FROM messages WHERE embedding IS NOT NULL"
RETYPE = """
    ALTER TABLE messages ALTER COLUMN embedding TYPE vector({}) USING NULL, ALTER COLUMN embedding SET STORAGE MAIN
"""
RESTORE = "UPDATE messages SET embedding = %s::vector WHERE id = %s::bigint AND embedding IS NULL"


def _break(sandbox: Sandbox) -> None:
    """Change the type; the vectors that are there are remembered first."""
    with sandbox.connect() as connection, connection.transaction():
        (dimensions,) = connection.execute(DIMENSIONS).fetchone() or (TAKEN,)
        if dimensions == TAKEN:
            return
        vectors = {str(row_id): vector for row_id, vector in connection.execute(VECTORS)}
        remember(sandbox, NAME, {"dimensions": dimensions, "vectors": vectors})
        connection.execute(sql.SQL(RETYPE).format(sql.Literal(TAKEN)))


def _heal(sandbox: Sandbox) -> None:
    """Give the column its type again where nobody has, and the rows that are still without a vector their own."""
    earlier = recall(sandbox, NAME)
    if not earlier:
        return
    with sandbox.connect() as connection, connection.transaction():
        (dimensions,) = connection.execute(DIMENSIONS).fetchone() or (TAKEN,)
        if dimensions == TAKEN:
            connection.execute(sql.SQL(RETYPE).format(sql.Literal(earlier["dimensions"])))
        for row_id, vector in earlier["vectors"].items():
            connection.execute(RESTORE, (vector, row_id))
    forget(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C9",
    title="The column does not take the model's vectors",
    description=__doc__ or "",
    expected=Expectation(roots=("EMB002",), effects=("EMB001", "CHN002")),
    break_=_break,
    heal=_heal,
    touches=("messages.embedding",),
)
