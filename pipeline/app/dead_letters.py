"""The dead-letter table ``failed_tasks``: work that is still to be done, one row per task and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic_core import to_jsonable_python

from .database import connection
from .errors import describe

RECORD_FAILURE = """
    INSERT INTO failed_tasks (task, arguments, error, attempts)
    VALUES (%(task)s, %(arguments)s, %(error)s, %(attempts)s)
    ON CONFLICT (task, jsonb_hash_extended(arguments, 0)) DO UPDATE
    SET error = excluded.error, attempts = failed_tasks.attempts + excluded.attempts, failed_at = now()
"""
CLEAR_FAILURE = """
    DELETE FROM failed_tasks
    WHERE task = %(task)s
      AND jsonb_hash_extended(arguments, 0) = jsonb_hash_extended(%(arguments)s, 0)
      AND arguments = %(arguments)s
"""
# A batch that failed is given back and extracted again under another id, with other messages beside it.
CLEAR_FAILED_EXTRACTIONS = """
    DELETE FROM failed_tasks AS f
    USING extractions AS failed, extractions AS done
    WHERE f.task = %(task)s AND f.arguments ->> 'extraction_id' = failed.id::text
      AND failed.status = 'failed' AND done.id = %(extraction_id)s AND done.status = 'completed'
      AND failed.chat_id = done.chat_id AND failed.message_ids && done.message_ids
"""

_RECORDED = "Recorded in failed_tasks."


async def record_failure(task: str, arguments: Mapping[str, object], error: BaseException, attempts: int) -> None:
    """Write down that a task with these arguments could not be done.

    Raises:
        psycopg.Error: the database cannot take it.
    """
    async with connection() as database:
        await database.execute(
            RECORD_FAILURE,
            {
                "task": task,
                "arguments": Jsonb(to_jsonable_python(arguments)),
                "error": describe(error),
                "attempts": attempts,
            },
        )


async def record_failed_enqueue(task: str, arguments: Mapping[str, object], error: BaseException) -> None:
    """Write down a task that could not be enqueued, and mark the error: what remains to be done is that task.

    The task that tried to enqueue it has done its own part. When it gives up on the same error, it leaves no
    second dead letter (see :func:`is_recorded`).

    Raises:
        psycopg.Error: the database cannot take it.
    """
    await record_failure(task, arguments, error, attempts=1)
    error.add_note(_RECORDED)


def is_recorded(error: BaseException) -> bool:
    """Tell whether what this error left undone is already a dead letter."""
    return _RECORDED in getattr(error, "__notes__", ())


async def clear_failure(task: str, arguments: Mapping[str, object]) -> None:
    """Remove the dead letter of work that has now been done.

    Raises:
        psycopg.Error: the database cannot take it.
    """
    async with connection() as database:
        await database.execute(CLEAR_FAILURE, {"task": task, "arguments": Jsonb(to_jsonable_python(arguments))})


async def clear_failed_extractions(task: str, extraction_id: UUID) -> None:
    """Remove the dead letters of earlier extractions whose messages a completed extraction has now taken over.

    Raises:
        psycopg.Error: the database cannot take it.
    """
    async with connection() as database:
        await database.execute(CLEAR_FAILED_EXTRACTIONS, {"task": task, "extraction_id": extraction_id})
