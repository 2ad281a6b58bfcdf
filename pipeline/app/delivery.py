"""Deliveries of tasks: kept alive while the task runs, acknowledged when it is done, given back when it is not.

JetStream delivers a message again when nobody has acknowledged it for ``ack_wait``. With a long ``ack_wait`` the work
of a worker that was killed waits as long; with a short one, a slow task would run twice. So it is short, and a running
task says every third of it that it is still at work. A process that is killed or frozen says nothing, and its work goes
to another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from loguru import logger
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from taskiq import AckableMessage, TaskiqMessage, TaskiqMiddleware, TaskiqResult
from taskiq_nats import PullBasedJetStreamBroker

from .errors import UnfinishedError
from .settings import get_settings

GIVE_BACK_AFTER_SECONDS = 5.0
"""How long a task that an outage stopped waits in the queue before it is delivered again."""


class Delivery:
    """One delivery of one message."""

    def __init__(self, message: Msg) -> None:
        self._message = message
        self._heartbeat = asyncio.create_task(self._keep_alive())

    @property
    def age_seconds(self) -> float:
        """How long ago the task was enqueued, by the clock of the queue."""
        return (datetime.now(UTC) - self._message.metadata.timestamp).total_seconds()

    async def acknowledge(self) -> None:
        """Tell the queue that the work is done."""
        self._heartbeat.cancel()
        await self._message.ack()

    async def give_back(self, seconds: float) -> None:
        """Have the message delivered again after so many seconds; when the queue is away, after ``ack_wait``."""
        self._heartbeat.cancel()
        with contextlib.suppress(NatsError, OSError):
            await self._message.nak(delay=seconds)

    async def _keep_alive(self) -> None:
        """Say that the task is at work, for as long as a task may be; after that the message is anybody's."""
        settings = get_settings()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.task_timeout_seconds + settings.task_ack_wait_seconds):
                while True:
                    await asyncio.sleep(settings.task_ack_wait_seconds / 3)
                    try:
                        await self._message.in_progress()
                    except (NatsError, OSError) as error:
                        logger.warning("Cannot tell the queue that a task is at work: {}", error)


current_delivery: ContextVar[Delivery | None] = ContextVar("current_delivery", default=None)
"""The delivery that the running task comes from; None outside a worker."""


class WorkQueue(PullBasedJetStreamBroker):
    """The broker of taskiq-nats, whose running tasks keep their messages."""

    deliveries: dict[str, Delivery]
    """Task id → what this process works on."""

    async def startup(self) -> None:
        """Connect; nothing is being worked on yet."""
        self.deliveries = {}
        await super().startup()

    async def shutdown(self) -> None:
        """Give back what has not been finished, so that another worker has it at once; then disconnect."""
        for delivery in list(self.deliveries.values()):
            await delivery.give_back(0)
        await super().shutdown()

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Yield the messages as they come, each kept alive in the background, until the worker is to end.

        TaskIQ then cancels its wait for the next message. That cancellation can get lost: ``asyncio.wait_for`` of
        Python 3.11, which the NATS client uses, forgets one that arrives together with an answer of the queue. So
        the task is asked as well; else a worker that is told to stop would go on until the next message comes.
        """
        while not _is_cancelled():
            with contextlib.suppress(NatsTimeoutError):
                for message in await self.consumer.fetch(self.pull_consume_batch, self.pull_consume_timeout):
                    yield AckableMessage(data=message.data, ack=self._deliver(message))

    def _deliver(self, message: Msg) -> Callable[[], Awaitable[None]]:
        delivery = Delivery(message)
        task_id = _task_id(message.data)
        self.deliveries[task_id] = delivery

        async def acknowledge() -> None:
            self.forget(task_id, delivery)
            await delivery.acknowledge()

        return acknowledge

    def forget(self, task_id: str, delivery: Delivery) -> None:
        """Take a delivery off the list, unless the task has been delivered anew meanwhile."""
        if self.deliveries.get(task_id) is delivery:
            del self.deliveries[task_id]


class KeepUnfinished(TaskiqMiddleware):
    """Gives a message back instead of acknowledging it when its work is neither done nor written down.

    TaskIQ acknowledges a task that raised, as one that is done. That is right when the failure has become a dead
    letter; otherwise the work would be lost. An error raised here ends the handling of the message before that.
    """

    broker: WorkQueue

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Let the task know its delivery."""
        current_delivery.set(self.broker.deliveries.get(message.task_id))
        return message

    async def on_error(self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException) -> None:
        """Give the message back and raise the exception again when the work is to be done later."""
        if not isinstance(exception, UnfinishedError | asyncio.CancelledError):
            return
        delivery = current_delivery.get()
        if delivery is not None:
            self.broker.forget(message.task_id, delivery)
            await delivery.give_back(GIVE_BACK_AFTER_SECONDS)
        raise exception


def _is_cancelled() -> bool:
    """Tell whether the running task has been cancelled, even if the cancellation was lost since."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _task_id(data: bytes) -> str:
    """Return the task's id; a message that cannot be read is acknowledged and dropped by TaskIQ, under any name."""
    try:
        return str(json.loads(data)["task_id"])
    except (ValueError, LookupError, TypeError):
        return ""
