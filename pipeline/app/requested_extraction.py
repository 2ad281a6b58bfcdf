"""Extractions that somebody asks for: by message ids or by period, one batch per chat, whatever the threshold says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .agents import Agent
from .claims import Claim, claim_messages, lock_chat
from .database import Connection
from .settings import get_settings

# One request claims at most this many messages; ask again for the rest.
LARGEST_REQUEST = 1_000

SELECT_FREE_BY_ID = """
    SELECT id, chat_id FROM messages
    WHERE id = ANY(%(message_ids)s) AND topic_id IS NULL AND extraction_id IS NULL
    ORDER BY chat_id, created_at, id
"""
SELECT_FREE_BY_PERIOD = """
    SELECT id, chat_id FROM messages
    WHERE created_at >= %(start)s AND created_at < %(end)s AND topic_id IS NULL AND extraction_id IS NULL
    ORDER BY chat_id, created_at, id
    LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class FreeMessage:
    """A message without topic and claim."""

    id: int
    chat_id: int


async def free_messages(database: Connection, message_ids: Sequence[int]) -> list[FreeMessage]:
    """Return those of the messages that can be claimed, chat by chat."""
    rows = await (await database.execute(SELECT_FREE_BY_ID, {"message_ids": list(message_ids)})).fetchall()
    return [FreeMessage(row["id"], row["chat_id"]) for row in rows]


async def free_messages_between(database: Connection, start: datetime, end: datetime) -> list[FreeMessage]:
    """Return the claimable messages received in a period, chat by chat, at most ``LARGEST_REQUEST``."""
    values = {"start": start, "end": end, "limit": LARGEST_REQUEST}
    rows = await (await database.execute(SELECT_FREE_BY_PERIOD, values)).fetchall()
    return [FreeMessage(row["id"], row["chat_id"]) for row in rows]


async def claim_requested(database: Connection, agent: Agent, messages: Sequence[FreeMessage]) -> list[Claim]:
    """Claim the messages in batches, each of one chat; those that were taken meanwhile are left out."""
    size = get_settings().ai_knowledge_extraction_batch_size
    claims: list[Claim] = []
    for chat_id in sorted({message.chat_id for message in messages}):
        ids = [message.id for message in messages if message.chat_id == chat_id]
        async with database.transaction():
            await lock_chat(database, chat_id)
            for start in range(0, len(ids), size):
                batch = ids[start : start + size]
                claim = await claim_messages(database, chat_id, agent.id, batch, claimed_by="request")
                if claim is not None:
                    claims.append(claim)
    return claims
