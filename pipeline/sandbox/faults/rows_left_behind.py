"""Twelve messages were scored while nothing extracted; they are older than the look-back by now, and get no topic.

The chain works again and looks at recent messages only; no error says that these were missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.made_atoms import SOUND

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

CHAT_ID = -1_001_700_000_003
INSERT: LiteralString = """
    INSERT INTO messages (external_id, chat_id, content, created_at, importance_score, embedding, embedding_model)
    SELECT 'left-behind:' || n, {chat}, 'Remark ' || n || ' that nobody took up', now() - n * interval '1 hour'
        - interval '48 hours', 0.6, {vector}, 'nomic-embed-text'
    FROM generate_series(1, 12) AS n,
         (SELECT atttypmod AS d FROM pg_attribute
          WHERE attrelid = 'messages'::regclass AND attname = 'embedding') AS embedding_column
    ON CONFLICT (external_id) DO NOTHING
"""
DELETE: LiteralString = "DELETE FROM messages WHERE chat_id = {chat}"


def _break(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        connection.execute(sql.SQL(INSERT).format(chat=sql.Literal(CHAT_ID), vector=sql.SQL(SOUND)))


def _heal(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        connection.execute(sql.SQL(DELETE).format(chat=sql.Literal(CHAT_ID)))


FAULT = Fault(
    name="rows-left-behind",
    case="C11",
    title="Old messages never got a topic",
    description=__doc__ or "",
    expected=Expectation(left_over=("CHN003",)),
    break_=_break,
    heal=_heal,
    touches=("messages.embedding",),
)
