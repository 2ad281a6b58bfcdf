"""Atoms that a fault adds with the vectors that it wants: older than the look-back, in a chat where nothing is sent.

A vector is an expression over ``n``, the number of the row, and ``d``, the column's number of dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

CHAT_ID = -1_001_700_000_002

MODEL = "nomic-embed-text"
"""The model that the sandbox embeds with."""

SOUND: LiteralString = "l2_normalize((SELECT array_agg(sin(n * i)) FROM generate_series(1, d) AS i)::real[]::vector)"
"""A vector of length one, another for each row."""

INSERT = """
    INSERT INTO atoms (type, title, content, confidence, chat_id, created_at, embedding, embedding_model)
    SELECT %(kind)s, %(title)s || n, 'Remark ' || n || ' of kind ' || %(kind)s, 0.8, %(chat)s,
           now() - interval '48 hours' - n * interval '5 hours', {vector}, %(model)s
    FROM generate_series(1, %(rows)s) AS n,
         (SELECT atttypmod AS d FROM pg_attribute
          WHERE attrelid = 'atoms'::regclass AND attname = 'embedding') AS embedding_column
    WHERE NOT EXISTS (SELECT FROM atoms WHERE chat_id = %(chat)s AND title = %(title)s || n)
"""
DELETE = "DELETE FROM atoms WHERE chat_id = %(chat)s AND starts_with(title, %(title)s)"


@dataclass(frozen=True, slots=True)
class MadeAtoms:
    """So many atoms of one kind, all with such a vector of this model."""

    rows: int
    vector: LiteralString = SOUND
    model: str | None = MODEL
    kind: str = "insight"


def add_atoms(sandbox: Sandbox, fault: str, *groups: MadeAtoms) -> None:
    """Add the atoms of each group; those that are there already stay as they are."""
    with sandbox.connect() as connection, connection.transaction():
        for number, group in enumerate(groups, start=1):
            names = {"kind": group.kind, "rows": group.rows, "model": group.model}
            names |= {"chat": CHAT_ID, "title": f"{fault} {number}."}
            connection.execute(sql.SQL(INSERT).format(vector=sql.SQL(group.vector)), names)


def remove_atoms(sandbox: Sandbox, fault: str) -> None:
    """Remove the atoms that a fault added, also those that have other vectors by now."""
    with sandbox.connect() as connection:
        connection.execute(DELETE, {"chat": CHAT_ID, "title": f"{fault} "})
