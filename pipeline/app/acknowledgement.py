"""When a task must not be acknowledged: its failure could not be written down, or it was cut short."""

from __future__ import annotations

import asyncio
from typing import Any

from taskiq import TaskiqMessage, TaskiqMiddleware, TaskiqResult


class FailureNotRecordedError(Exception):
    """A task failed for good, and the database could not take the dead letter."""


class KeepUnfinished(TaskiqMiddleware):
    """Leaves a message unacknowledged, so that JetStream delivers it again after ``ack_wait``.

    TaskIQ acknowledges a task that raised, as one that is done. That is right when the failure has become a dead
    letter; otherwise the work would be lost. An error raised here ends the handling of the message before that.
    """

    def on_error(
        self,
        message: TaskiqMessage,
        result: TaskiqResult[Any],
        exception: BaseException,
    ) -> None:
        """Raise the exception again when the work is neither done nor written down."""
        if isinstance(exception, FailureNotRecordedError | asyncio.CancelledError):
            raise exception
