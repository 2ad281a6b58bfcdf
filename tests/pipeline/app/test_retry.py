"""Attempts, back-off, dead letters, and what happens when those cannot be written."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from taskiq.receiver import Receiver

from doctor.pipeline.app import delivery
from doctor.pipeline.app.broker import broker
from doctor.pipeline.app.dead_letters import record_failed_enqueue, record_failure
from doctor.pipeline.app.errors import PermanentError, StoppedByOutageError, describe
from doctor.pipeline.app.messages import save_message
from doctor.pipeline.app.retry import delay_before, task_retry_with_dlq
from doctor.pipeline.app.tasks import ingestion
from doctor.pipeline.app.tasks.embedding import embed_messages_batch_task
from doctor.pipeline.app.tasks.ingestion import save_telegram_message
from doctor.pipeline.app.tasks.scoring import score_message_task
from doctor.pipeline.app.telegram import Update, message_of

FAILED = "SELECT task, arguments, error, attempts FROM failed_tasks"


def failing(times: int, error: Exception) -> Callable[..., Any]:
    """Build a task that fails so often, then works."""
    left = [times]

    @task_retry_with_dlq(max_attempts=3)
    async def task(number: int, *, text: str = "") -> str:
        if left[0]:
            left[0] -= 1
            raise error
        return f"{number}{text}"

    return task


async def test_a_task_that_works_in_the_end_leaves_no_dead_letter(pipeline: Any) -> None:
    assert await failing(2, ConnectionError("away"))(1, text="a") == "1a"
    assert await pipeline.rows(FAILED) == []
    assert await pipeline.rows("SELECT status, attempts, error FROM task_executions") == [
        {"status": "succeeded", "attempts": 3, "error": None}
    ]


async def test_a_task_that_fails_for_good_is_a_dead_letter_until_it_works(pipeline: Any) -> None:
    task = failing(3, ConnectionError("away\x00"))
    with pytest.raises(ConnectionError):
        await task(1, text="a")
    (failed,) = await pipeline.rows(FAILED)
    assert failed["task"].endswith("test_retry:task")
    assert failed["arguments"] == {"number": 1, "text": "a"}
    assert (failed["error"], failed["attempts"]) == ("away", 3)
    assert await pipeline.value("SELECT status FROM task_executions") == "failed"
    await task(1, text="a")
    assert await pipeline.rows(FAILED) == []


async def test_repeated_failures_are_one_row_that_counts(pipeline: Any) -> None:
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await failing(3, ConnectionError("away"))(1)
    assert [row["attempts"] for row in await pipeline.rows(FAILED)] == [9]


@pytest.mark.parametrize("error", [PermanentError("no"), AttributeError("no"), TypeError("no")])
async def test_what_no_retry_cures_is_tried_once(pipeline: Any, error: Exception) -> None:
    with pytest.raises(type(error)):
        await failing(1, error)(1)
    assert [row["attempts"] for row in await pipeline.rows(FAILED)] == [1]


async def deliver() -> None:
    """Take the next task from the queue and work on it, as a worker does."""
    async with contextlib.aclosing(broker.listen()) as messages:
        message = await anext(messages)
    await Receiver(broker, max_async_tasks=1, run_startup=False).callback(message)


async def test_a_task_that_an_outage_stops_goes_back_to_the_queue_until_the_patience_ends(
    pipeline: Any, settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "GIVE_BACK_AFTER_SECONDS", 0)
    away = "http://127.0.0.1:9"
    settings(ollama_host=away)
    await embed_messages_batch_task.kiq(await pipeline.add_messages(1))
    for _ in range(2):
        with pytest.raises(StoppedByOutageError):
            await deliver()
    assert await pipeline.rows(FAILED) == []
    assert await pipeline.queued() == 1
    settings(ollama_host=away, task_outage_patience_seconds=0)
    await deliver()
    assert [row["attempts"] for row in await pipeline.rows(FAILED)] == [3]
    assert await pipeline.queued() == 0


async def test_all_attempts_together_end_within_the_tasks_time(pipeline: Any, settings: Callable[..., None]) -> None:
    settings(task_timeout_seconds=0.45, model_timeout_seconds=0.4)

    @task_retry_with_dlq(max_attempts=3)
    async def endless() -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await endless()
    assert [row["error"] for row in await pipeline.rows(FAILED)] == ["not done within 0.45 s, all attempts together"]


def test_the_delay_doubles_is_bounded_and_has_jitter(settings: Callable[..., None]) -> None:
    settings(task_retry_delay_seconds=4)
    assert [delay_before(attempt, lambda: 1.0) for attempt in (2, 3, 4, 5, 9)] == [4, 8, 16, 30, 30]
    assert delay_before(3, lambda: 0.0) == 4


def test_the_wrapper_keeps_the_name_and_the_parameters_of_the_task() -> None:
    assert score_message_task.task_name == "doctor.pipeline.app.tasks.scoring:score_message_task"
    assert broker.find_task(score_message_task.task_name) is score_message_task
    names = {name.rpartition(":")[2] for name in broker.get_all_tasks()}
    assert names == {
        "save_telegram_message",
        "score_message_task",
        "extract_knowledge_from_messages_task",
        "embed_messages_batch_task",
        "embed_atoms_batch_task",
        "embed_topics_batch_task",
    }


async def test_a_failed_enqueue_of_the_scoring_leaves_one_failed_task_and_a_redelivery_enqueues_it(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    body = {"message_id": 1, "chat": {"id": 7}, "date": 1, "text": "hello"}
    message = message_of(Update.model_validate_json(json.dumps({"update_id": 1, "message": body})))
    assert message is not None

    def plain_function() -> None: ...

    plain_function.task_name = score_message_task.task_name  # type: ignore[attr-defined]
    with monkeypatch.context() as broken:
        broken.setattr(ingestion, "score_message_task", plain_function)
        with pytest.raises(AttributeError):
            await save_telegram_message(message)
    assert "Failed to queue scoring task: 'function' object has no attribute 'kiq'" in log_lines
    message_id = await pipeline.value("SELECT id FROM messages")
    assert await pipeline.rows("SELECT task, arguments FROM failed_tasks") == [
        {"task": score_message_task.task_name, "arguments": {"message_id": message_id}}
    ]
    await save_telegram_message(message)
    assert await pipeline.work() == ["score_message_task"]
    assert await pipeline.rows(FAILED) == []
    assert (await save_message(message)).unscored is False


async def test_an_enqueue_of_which_only_the_receipt_was_lost_leaves_no_dead_letter(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"message_id": 1, "chat": {"id": 7}, "date": 1, "text": "hello"}
    message = message_of(Update.model_validate_json(json.dumps({"update_id": 1, "message": body})))
    assert message is not None
    kiq = score_message_task.kiq

    async def scored_without_receipt(message_id: int) -> None:
        await kiq(message_id)
        assert await pipeline.work() == ["score_message_task"]
        raise TimeoutError("no receipt")

    with monkeypatch.context() as late:
        late.setattr(score_message_task, "kiq", scored_without_receipt)
        await save_telegram_message(message)
    assert await pipeline.rows(FAILED) == []
    assert (await save_message(message)).unscored is False


async def test_a_failed_enqueue_of_the_scoring_of_a_message_that_is_gone_leaves_no_dead_letter(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"message_id": 1, "chat": {"id": 7}, "date": 1, "text": "hello"}
    message = message_of(Update.model_validate_json(json.dumps({"update_id": 1, "message": body})))
    assert message is not None

    async def removed_meanwhile(message_id: int) -> None:
        await pipeline.database.execute("DELETE FROM messages WHERE id = %s", (message_id,))
        raise TimeoutError("no receipt")

    with monkeypatch.context() as late:
        late.setattr(score_message_task, "kiq", removed_meanwhile)
        await save_telegram_message(message)
    assert await pipeline.rows(FAILED) == []


async def test_a_task_that_left_its_rest_to_another_ones_dead_letter_has_none_of_its_own(pipeline: Any) -> None:
    @task_retry_with_dlq(max_attempts=1)
    async def first(number: int) -> None:
        error = ConnectionError("the queue is away")
        await record_failed_enqueue("app:second", {"number": number}, error)
        raise error

    name = f"{first.__module__}:first"
    await record_failure(name, {"number": 1}, ConnectionError("an earlier failure"), attempts=1)
    with pytest.raises(ConnectionError):
        await first(1)
    assert await pipeline.rows("SELECT task FROM failed_tasks") == [{"task": "app:second"}]


def test_an_error_is_described_with_its_cause() -> None:
    error = RuntimeError("Cannot send\n task")
    error.__cause__ = ConnectionError("refused")
    assert describe(error) == "Cannot send task: refused"
    assert describe(TimeoutError()) == "TimeoutError"
