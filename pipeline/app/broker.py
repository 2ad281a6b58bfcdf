"""The task queue: TaskIQ over NATS JetStream, for the API that enqueues and for the worker that runs."""

from __future__ import annotations

import asyncio
import contextlib

import nats
from loguru import logger
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, DiscardPolicy, RetentionPolicy, StreamConfig
from taskiq import TaskiqEvents, TaskiqState

from .database import close_pool, open_pool
from .delivery import KeepUnfinished, WorkQueue
from .errors import describe
from .executions import remove_old_executions
from .logs import configure_logging
from .settings import get_settings


async def _report_connection_error(error: Exception) -> None:
    logger.warning("NATS connection: {}", describe(error) or type(error).__name__)


broker = WorkQueue(
    servers=get_settings().nats_url,
    subject="taskiq_tasks",
    stream_name="taskiq_jetstream",
    durable="taskiq_durable",
    # Without a time-out the consumer waits for ever after a restart of NATS, with the process alive.
    pull_consume_timeout=1,
    # A work queue drops a task once it is acknowledged; the default keeps every task for ever. When the queue is
    # full, new tasks are refused (the caller is told) rather than old ones dropped.
    stream_config=StreamConfig(
        retention=RetentionPolicy.WORK_QUEUE,
        max_bytes=256 * 1024 * 1024,
        discard=DiscardPolicy.NEW,
    ),
    # A worker that is silent for so long has lost its tasks to another one; see delivery.py.
    consumer_config=ConsumerConfig(
        durable_name="taskiq_durable",
        ack_wait=get_settings().task_ack_wait_seconds,
        max_ack_pending=1000,
    ),
    # Keep trying for ever: the process then survives any outage of NATS.
    max_reconnect_attempts=-1,
    reconnect_time_wait=1,
    connect_timeout=2,
    error_cb=_report_connection_error,
)
broker.add_middlewares(KeepUnfinished())


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def start_worker(_: TaskiqState) -> None:
    """Prepare the process of a worker."""
    configure_logging()
    await _require_nats()
    await open_pool()
    await remove_old_executions()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def stop_worker(_: TaskiqState) -> None:
    """Give the database connections back."""
    await close_pool()


async def _require_nats() -> None:
    """Let the worker die, to be started again, when NATS cannot be reached for some seconds.

    The broker itself would wait for ever, and a worker that waits in its start does not hear SIGTERM.

    Raises:
        nats.errors.NoServersError: NATS cannot be reached.
    """
    probe = await nats.connect(
        get_settings().nats_url,
        max_reconnect_attempts=5,
        reconnect_time_wait=1,
        connect_timeout=2,
        error_cb=_report_connection_error,
    )
    await probe.close()


async def connect_broker() -> None:
    """Connect the API to the queue, however long that takes; run it as a background task.

    The connection itself is retried by the client; what can still fail is JetStream that is off or not ready.
    """
    while True:
        try:
            await broker.startup()
        except (NatsError, OSError, TimeoutError) as error:
            logger.warning("JetStream is not ready: {}", describe(error))
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                await broker.client.close()
            await asyncio.sleep(2)
        else:
            return
