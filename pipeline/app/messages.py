"""The table of messages: saved once per external id, brought to the newest revision, scored once."""

from __future__ import annotations

from dataclasses import dataclass

from .database import connection
from .errors import PermanentError
from .importance import rate
from .telegram import IncomingMessage

# A newer revision with another text goes through the chain afresh: score, topic and vector belong to the old text.
SAVE_MESSAGE = """
    INSERT INTO messages (external_id, chat_id, sender, content, sent_at, revised_at)
    VALUES (%(external_id)s, %(chat_id)s, %(sender)s, %(content)s, %(sent_at)s, %(revised_at)s)
    ON CONFLICT (external_id) DO UPDATE
    SET content = excluded.content, revised_at = excluded.revised_at, importance_score = NULL, noise_class = NULL,
        topic_id = NULL, extraction_id = NULL, claimed_at = NULL, embedding = NULL,
        embedding_model = NULL
    WHERE messages.content <> excluded.content
      AND (messages.revised_at IS NULL OR excluded.revised_at >= messages.revised_at)
"""
SELECT_SAVED = "SELECT id, importance_score IS NULL AS unscored FROM messages WHERE external_id = %(external_id)s"
SELECT_FOR_SCORING = "SELECT chat_id, content, importance_score FROM messages WHERE id = %(id)s"
SELECT_UNSCORED = "SELECT 1 FROM messages WHERE id = %(id)s AND importance_score IS NULL"
WRITE_SCORE = """
    UPDATE messages SET importance_score = %(score)s, noise_class = %(noise_class)s
    WHERE id = %(id)s AND importance_score IS NULL AND content = %(content)s
"""


@dataclass(frozen=True, slots=True)
class SavedMessage:
    """A row of a message, and whether its score is still to come."""

    id: int
    unscored: bool


@dataclass(frozen=True, slots=True)
class ScoredMessage:
    """The chat of a message that has a score, and whether it had one before."""

    chat_id: int
    again: bool


async def save_message(message: IncomingMessage) -> SavedMessage:
    """Insert the message, or bring its row to a newer revision; the same message twice changes nothing.

    Raises:
        psycopg.Error: the database cannot do it.
    """
    values = {**message.model_dump(), "external_id": message.external_id}
    async with connection() as database, database.transaction():
        await database.execute(SAVE_MESSAGE, values)
        row = await (await database.execute(SELECT_SAVED, values)).fetchone()
    if row is None:
        raise PermanentError(f"message {message.external_id} was removed while it was saved")
    return SavedMessage(row["id"], row["unscored"])


async def score_message(message_id: int) -> ScoredMessage:
    """Score the message unless it has a score.

    Raises:
        PermanentError: there is no such message.
        psycopg.Error: the database cannot do it.
    """
    async with connection() as database:
        row = await (await database.execute(SELECT_FOR_SCORING, {"id": message_id})).fetchone()
        if row is None:
            raise PermanentError(f"there is no message {message_id}")
        again = row["importance_score"] is not None
        if not again:
            verdict = rate(row["content"])
            values = {
                "id": message_id,
                "content": row["content"],
                "score": verdict.score,
                "noise_class": verdict.noise_class,
            }
            await database.execute(WRITE_SCORE, values)
    return ScoredMessage(row["chat_id"], again)


async def is_unscored(message_id: int) -> bool:
    """Return whether there is such a message, and it has no score.

    Raises:
        psycopg.Error: the database cannot tell.
    """
    async with connection() as database:
        row = await (await database.execute(SELECT_UNSCORED, {"id": message_id})).fetchone()
    return row is not None
