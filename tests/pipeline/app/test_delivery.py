"""Deliveries from a real queue while a worker ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from nats.aio.msg import Msg
from taskiq import AckableMessage, BrokerMessage

from doctor.pipeline.app.delivery import WorkQueue

WAIT = 0.2
PATIENCE = 10.0


def work_queue(environment: dict[str, str]) -> WorkQueue:
    return WorkQueue(
        servers=environment["NATS_URL"],
        subject="deliveries",
        stream_name="deliveries",
        durable="deliveries",
        pull_consume_timeout=WAIT,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def queue(environment: dict[str, str], nats: object) -> AsyncIterator[WorkQueue]:
    """An empty queue of its own."""
    opened = work_queue(environment)
    await opened.startup()
    await opened.js.purge_stream("deliveries")
    yield opened
    await opened.shutdown()


async def kick(queue: WorkQueue, task_id: str) -> None:
    message = f'{{"task_id": "{task_id}"}}'.encode()
    await queue.kick(BrokerMessage(task_id=task_id, task_name="any", message=message, labels={}))


def cancel_with_the_next_answer(
    waiting: asyncio.Task[AckableMessage], queue: WorkQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancel as TaskIQ does when SIGTERM and an answer of the queue are noticed together."""
    answers = queue.consumer._sub._pending_queue
    put = answers.put_nowait

    def put_and_cancel(answer: Msg) -> None:
        monkeypatch.undo()
        put(answer)
        waiting.cancel()

    monkeypatch.setattr(answers, "put_nowait", put_and_cancel)


async def test_a_wait_that_is_cancelled_as_the_queue_answers_ends(
    queue: WorkQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):  # the answer says that nothing is there
        waiting = asyncio.ensure_future(anext(queue.listen()))
        cancel_with_the_next_answer(waiting, queue, monkeypatch)
        done, _ = await asyncio.wait({waiting}, timeout=PATIENCE)
        assert done
        assert waiting.cancelled() or isinstance(waiting.exception(), StopAsyncIteration)


async def test_a_message_that_comes_with_the_cancellation_is_not_held_back(
    queue: WorkQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.ensure_future(anext(queue.listen()))
    cancel_with_the_next_answer(waiting, queue, monkeypatch)
    await kick(queue, "late")
    done, _ = await asyncio.wait({waiting}, timeout=PATIENCE)
    assert done
    handed_out = not waiting.cancelled() and waiting.exception() is None
    message = waiting.result() if handed_out else await asyncio.wait_for(anext(queue.listen()), PATIENCE)
    assert message.data == b'{"task_id": "late"}'
    await queue.deliveries["late"].acknowledge()


async def test_a_worker_that_ends_gives_back_what_it_has_not_finished(
    queue: WorkQueue, environment: dict[str, str]
) -> None:
    await kick(queue, "unfinished")
    first = work_queue(environment)
    await first.startup()
    message = await anext(first.listen())
    await first.shutdown()
    # ack_wait is 30 s here: only what was given back comes so soon.
    again = await asyncio.wait_for(anext(queue.listen()), PATIENCE)
    assert again.data == message.data
    await queue.deliveries["unfinished"].acknowledge()
