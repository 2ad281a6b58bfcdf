"""Claims: which extraction a message belongs to. A batch is one chat's, and is claimed once.

All changes of a chat's claims happen under one advisory lock, so however many tasks see the threshold, one claims.
A claim ends with its lease: a crash between claim and run cannot strand messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from .database import Connection, connection
from .settings import get_settings

LOCK_CHAT = "SELECT pg_advisory_xact_lock(hashtextextended('knowledge_extraction:' || %(chat_id)s::text, 0))"
END_EXPIRED_CLAIMS = """
    WITH expired AS (
        UPDATE extractions
        SET status = 'failed', finished_at = now(), error = 'nothing worked on the claim within its lease'
        WHERE (%(chat_id)s::bigint IS NULL OR chat_id = %(chat_id)s)
          AND status IN ('claimed', 'running') AND lease_expires_at < now()
        RETURNING id
    )
    UPDATE messages SET extraction_id = NULL, claimed_at = NULL
    FROM expired WHERE extraction_id = expired.id AND topic_id IS NULL
"""
COUNT_WAITING = """
    SELECT count(*) AS waiting FROM messages
    WHERE chat_id = %(chat_id)s AND importance_score IS NOT NULL AND topic_id IS NULL AND extraction_id IS NULL
      AND created_at >= now() - %(lookback_hours)s * interval '1 hour'
"""
SELECT_WAITING = """
    SELECT id FROM messages
    WHERE chat_id = %(chat_id)s AND importance_score IS NOT NULL AND topic_id IS NULL AND extraction_id IS NULL
      AND created_at >= now() - %(lookback_hours)s * interval '1 hour'
    ORDER BY created_at, id
    LIMIT %(batch_size)s
"""
INSERT_EXTRACTION = """
    INSERT INTO extractions (chat_id, agent_config_id, message_ids, claimed_by, lease_expires_at)
    VALUES (%(chat_id)s, %(agent_id)s, %(message_ids)s, %(claimed_by)s, now() + %(lease)s * interval '1 second')
    RETURNING id
"""
TAKE_MESSAGES = """
    UPDATE messages SET extraction_id = %(extraction_id)s, claimed_at = now()
    WHERE id = ANY(%(message_ids)s) AND chat_id = %(chat_id)s AND topic_id IS NULL AND extraction_id IS NULL
    RETURNING id
"""
NARROW_EXTRACTION = "UPDATE extractions SET message_ids = %(message_ids)s WHERE id = %(extraction_id)s"
SELECT_EXTRACTION = "SELECT chat_id, status, message_ids FROM extractions WHERE id = %(extraction_id)s"
SELECT_UNSTARTED = """
    SELECT id FROM extractions WHERE chat_id = %(chat_id)s AND status = 'claimed' AND claimed_by = %(claimed_by)s
"""
FAIL_EXTRACTION = """
    UPDATE extractions SET status = 'failed', finished_at = now(), error = %(error)s
    WHERE id = %(extraction_id)s
"""
RELEASE_MESSAGES = """
    UPDATE messages SET extraction_id = NULL, claimed_at = NULL
    WHERE extraction_id = %(extraction_id)s AND topic_id IS NULL
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Messages taken for one extraction."""

    extraction_id: UUID
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpenExtraction:
    """An extraction as read under the lock of its chat."""

    id: UUID
    chat_id: int
    status: str
    message_ids: tuple[int, ...]


async def lock_chat(database: Connection, chat_id: int) -> None:
    """Wait for the chat's lock and hold it until the transaction ends."""
    await database.execute(LOCK_CHAT, {"chat_id": chat_id})


async def end_expired_claims(database: Connection, chat_id: int | None = None) -> None:
    """Give back what nobody worked on within its lease, in one chat or in all."""
    await database.execute(END_EXPIRED_CLAIMS, {"chat_id": chat_id})


async def count_waiting(database: Connection, chat_id: int) -> int:
    """Count the chat's scored messages of the look-back that have no topic and no claim; ends expired claims first."""
    await end_expired_claims(database, chat_id)
    settings = get_settings()
    values = {"chat_id": chat_id, "lookback_hours": settings.ai_knowledge_extraction_lookback_hours}
    row = await (await database.execute(COUNT_WAITING, values)).fetchone()
    return 0 if row is None else int(row["waiting"])


async def select_waiting(database: Connection, chat_id: int) -> list[int]:
    """Return the ids of the oldest waiting messages, at most ``AI_KNOWLEDGE_EXTRACTION_BATCH_SIZE``."""
    settings = get_settings()
    values = {
        "chat_id": chat_id,
        "lookback_hours": settings.ai_knowledge_extraction_lookback_hours,
        "batch_size": settings.ai_knowledge_extraction_batch_size,
    }
    return [row["id"] for row in await (await database.execute(SELECT_WAITING, values)).fetchall()]


async def claim_messages(
    database: Connection, chat_id: int, agent_id: UUID, message_ids: Sequence[int], claimed_by: str
) -> Claim | None:
    """Claim those of the messages that are still free, inside the caller's transaction; None when there are none."""
    values = {
        "chat_id": chat_id,
        "agent_id": agent_id,
        "message_ids": list(message_ids),
        "claimed_by": claimed_by,
        "lease": get_settings().claim_lease_seconds,
    }
    async with database.transaction():
        row = await (await database.execute(INSERT_EXTRACTION, values)).fetchone()
        if row is None:
            return None
        extraction_id: UUID = row["id"]
        taken = await _take(database, extraction_id, chat_id, message_ids)
        if not taken:
            await database.execute("DELETE FROM extractions WHERE id = %(id)s", {"id": extraction_id})
            return None
        if len(taken) < len(message_ids):
            await database.execute(NARROW_EXTRACTION, {"extraction_id": extraction_id, "message_ids": list(taken)})
    return Claim(extraction_id, taken)


async def find_unstarted(chat_id: int, claimed_by: str) -> UUID | None:
    """Return the extraction that was claimed under this name and has not begun; None when there is none."""
    async with connection() as database:
        values = {"chat_id": chat_id, "claimed_by": claimed_by}
        row = await (await database.execute(SELECT_UNSTARTED, values)).fetchone()
    return None if row is None else row["id"]


async def _take(database: Connection, extraction_id: UUID, chat_id: int, message_ids: Sequence[int]) -> tuple[int, ...]:
    values = {"extraction_id": extraction_id, "chat_id": chat_id, "message_ids": list(message_ids)}
    rows = await (await database.execute(TAKE_MESSAGES, values)).fetchall()
    return tuple(sorted(row["id"] for row in rows))


async def lock_extraction(database: Connection, extraction_id: UUID) -> OpenExtraction | None:
    """Take the lock of the extraction's chat and read the extraction; None when there is none of that id."""
    values = {"extraction_id": extraction_id}
    row = await (await database.execute(SELECT_EXTRACTION, values)).fetchone()
    if row is None:
        return None
    await lock_chat(database, row["chat_id"])
    # Read again: another transaction may have changed it while this one waited for the lock.
    row = await (await database.execute(SELECT_EXTRACTION, values)).fetchone()
    if row is None:
        return None
    return OpenExtraction(extraction_id, row["chat_id"], row["status"], tuple(row["message_ids"]))


async def retake_messages(database: Connection, extraction: OpenExtraction) -> None:
    """Take an extraction's messages again where a release or an expired lease let them go, if they are still free."""
    await _take(database, extraction.id, extraction.chat_id, extraction.message_ids)


async def release_unstarted(extraction_id: UUID, error: str) -> bool:
    """Release the claim unless somebody has begun to work on it, and tell whether that was done.

    Raises:
        psycopg.Error: the database cannot do it; the lease will.
    """
    async with connection() as database, database.transaction():
        extraction = await lock_extraction(database, extraction_id)
        if extraction is None or extraction.status != "claimed":
            return False
        await _release(database, extraction_id, error)
    return True


async def release_claim(extraction_id: UUID, error: str) -> None:
    """Mark an extraction as failed and give its messages back, so that a later one can take them.

    Raises:
        psycopg.Error: the database cannot do it; the lease will.
    """
    async with connection() as database, database.transaction():
        extraction = await lock_extraction(database, extraction_id)
        if extraction is not None and extraction.status != "completed":
            await _release(database, extraction_id, error)


async def _release(database: Connection, extraction_id: UUID, error: str) -> None:
    values = {"extraction_id": extraction_id, "error": error}
    await database.execute(FAIL_EXTRACTION, values)
    await database.execute(RELEASE_MESSAGES, values)
