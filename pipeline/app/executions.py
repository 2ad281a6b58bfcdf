"""The log of task executions: one row for each, with the model that it used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from loguru import logger
from psycopg import Error as DatabaseError

from .database import connection
from .settings import get_settings

INSERT_EXECUTION = """
    INSERT INTO task_executions (task, status, attempts, model_used, used_fallback, error, started_at)
    VALUES (%(task)s, %(status)s, %(attempts)s, %(model_used)s, %(used_fallback)s, %(error)s, %(started_at)s)
"""
DELETE_OLD_EXECUTIONS = "DELETE FROM task_executions WHERE finished_at < now() - %(days)s * interval '1 day'"


@dataclass(slots=True)
class Execution:
    """One execution of a task, with all its attempts; filled while it runs."""

    task: str
    started_at: datetime
    attempts: int = 0
    model_used: str | None = None
    used_fallback: bool | None = None
    when_given_up: Callable[[BaseException], Awaitable[None]] | None = field(default=None, repr=False)


current_execution: ContextVar[Execution | None] = ContextVar("current_execution", default=None)


def note_model(model: str, *, fallback: bool) -> None:
    """Note which model did the work of the running task; outside a task this does nothing."""
    execution = current_execution.get()
    if execution is not None:
        execution.model_used, execution.used_fallback = model, fallback


def when_given_up(clean_up: Callable[[BaseException], Awaitable[None]]) -> None:
    """Have ``clean_up(error)`` awaited once if the running task fails for good; outside a task this does nothing."""
    execution = current_execution.get()
    if execution is not None:
        execution.when_given_up = clean_up


async def record_execution(execution: Execution, error: str | None = None) -> None:
    """Write the execution down; with an error it counts as failed.

    Raises:
        psycopg.Error: the database cannot take it.
    """
    async with connection() as database:
        await database.execute(
            INSERT_EXECUTION,
            {
                "task": execution.task,
                "status": "succeeded" if error is None else "failed",
                "attempts": execution.attempts,
                "model_used": execution.model_used,
                "used_fallback": execution.used_fallback,
                "error": error,
                "started_at": execution.started_at,
            },
        )


async def remove_old_executions() -> None:
    """Drop rows older than ``TASK_EXECUTION_RETENTION_DAYS``; a database that is down only postpones it."""
    try:
        async with connection() as database:
            await database.execute(DELETE_OLD_EXECUTIONS, {"days": get_settings().task_execution_retention_days})
    except DatabaseError as error:
        logger.warning("Old task executions were not removed: {}", error)
