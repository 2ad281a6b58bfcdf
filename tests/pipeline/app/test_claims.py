"""When an extraction starts, and with which messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from taskiq import SendTaskError

from doctor.pipeline.app.claims import lock_chat
from doctor.pipeline.app.database import connection
from doctor.pipeline.app.tasks import scoring
from doctor.pipeline.app.tasks.scoring import claim_batch, queue_knowledge_extraction_if_needed, score_message_task

CLAIMED = "SELECT count(*) FROM messages WHERE extraction_id IS NOT NULL"


async def test_twenty_concurrent_tasks_claim_a_batch_once(pipeline: Any, log_lines: list[str]) -> None:
    await pipeline.agent()
    ids = await pipeline.add_messages(20, scored=False)
    await asyncio.gather(*(score_message_task(number) for number in ids))
    extractions = await pipeline.rows("SELECT message_ids FROM extractions")
    claimed = [number for extraction in extractions for number in extraction["message_ids"]]
    assert len(claimed) == len(set(claimed))
    assert await pipeline.value(CLAIMED) == len(claimed) >= 10
    assert 1 <= len(extractions) <= 2  # a second batch needs another ten
    assert await pipeline.value("SELECT count(*) FROM messages WHERE importance_score IS NULL") == 0
    assert sum("Threshold reached" in line for line in log_lines) == len(extractions) == await pipeline.queued()


async def test_twenty_tasks_that_all_see_the_threshold_claim_once(pipeline: Any, log_lines: list[str]) -> None:
    await pipeline.agent()
    ids = await pipeline.add_messages(13)
    await asyncio.gather(*(score_message_task(ids[index % 13]) for index in range(20)))
    assert await pipeline.value("SELECT count(*) FROM extractions") == 1
    assert (
        "Threshold reached (13 >= 10), queueing knowledge extraction for 13 messages using agent 'knowledge_extractor'"
        in log_lines
    )


async def test_below_the_threshold_nothing_is_claimed(pipeline: Any) -> None:
    await pipeline.agent()
    await pipeline.add_messages(9)
    await pipeline.add_messages(5, scored=False)
    await pipeline.add_messages(5, age_hours=25)
    await pipeline.add_messages(9, chat_id=8)
    await queue_knowledge_extraction_if_needed(7, "a test")
    assert await pipeline.value(CLAIMED) == 0
    assert await pipeline.queued() == 0


async def test_a_batch_is_one_chats_and_not_larger_than_the_batch_size(
    pipeline: Any, settings: Callable[..., None]
) -> None:
    settings(ai_knowledge_extraction_batch_size=12)
    await pipeline.agent()
    await pipeline.add_messages(30, chat_id=7)
    await pipeline.add_messages(30, chat_id=8)
    await queue_knowledge_extraction_if_needed(8, "a test")
    assert await pipeline.rows("SELECT chat_id, cardinality(message_ids) AS size FROM extractions") == [
        {"chat_id": 8, "size": 12}
    ]
    assert await pipeline.value("SELECT count(DISTINCT chat_id) FROM messages WHERE extraction_id IS NOT NULL") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM agent_configs",
        "UPDATE agent_configs SET is_active = false",
        "UPDATE llm_providers SET is_active = false",
        "DELETE FROM llm_providers",
    ],
)
async def test_without_an_active_agent_nothing_is_claimed(pipeline: Any, statement: str, log_lines: list[str]) -> None:
    await pipeline.agent()
    await pipeline.database.execute(statement)
    await pipeline.add_messages(10)
    await queue_knowledge_extraction_if_needed(7, "a test")
    assert "No active agent config 'knowledge_extractor' found for knowledge extraction, skipping" in log_lines
    assert await pipeline.value(CLAIMED) == await pipeline.queued() == 0
    assert await pipeline.value("SELECT count(*) FROM extractions") == 0


async def test_scoring_again_sets_a_stuck_chat_going(pipeline: Any) -> None:
    ids = await pipeline.add_messages(15)
    await score_message_task(ids[0])
    assert await pipeline.queued() == 0
    await pipeline.agent()
    before = await pipeline.rows("SELECT importance_score, noise_class FROM messages ORDER BY id")
    await score_message_task(message_id=ids[3])
    await score_message_task(message_id=ids[4])
    assert await pipeline.value(CLAIMED) == 15
    assert await pipeline.queued() == 1
    assert await pipeline.rows("SELECT importance_score, noise_class FROM messages ORDER BY id") == before


async def test_a_claim_whose_maker_died_before_it_enqueued_is_enqueued_by_the_redelivery(pipeline: Any) -> None:
    await pipeline.agent()
    ids = await pipeline.add_messages(12)
    claim = await claim_batch(7, f"message {ids[9]}")  # and then the worker dies
    assert claim is not None
    await score_message_task(ids[0])
    assert await pipeline.queued() == 0  # it is not for the others
    await score_message_task(ids[9])
    assert await pipeline.queued() == 1
    assert "extract_knowledge_from_messages_task" in await pipeline.work()
    assert await pipeline.rows("SELECT id, status FROM extractions") == [
        {"id": claim.extraction_id, "status": "completed"}
    ]
    await score_message_task(ids[9])
    assert await pipeline.queued() == 0


@pytest.mark.parametrize("status", ["running", "completed"])
async def test_an_enqueue_whose_receipt_alone_was_lost_takes_nothing_back(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    await pipeline.agent()
    await pipeline.add_messages(10)

    async def no_receipt(_: str) -> None:
        """Fail when another worker has the task already."""
        await pipeline.database.execute(f"UPDATE extractions SET status = '{status}'")
        raise SendTaskError from TimeoutError("no receipt")

    monkeypatch.setattr(scoring.extract_knowledge_from_messages_task, "kiq", no_receipt)
    await queue_knowledge_extraction_if_needed(7, "a test")
    assert await pipeline.value(CLAIMED) == 10
    assert await pipeline.rows("SELECT status FROM extractions") == [{"status": status}]
    assert await pipeline.value("SELECT count(*) FROM failed_tasks") == 0


async def test_a_process_that_is_frozen_within_a_transaction_soon_holds_nobody_up(pipeline: Any) -> None:
    await pipeline.agent()
    await pipeline.add_messages(10)
    async with connection() as frozen:
        await frozen.execute("BEGIN")
        await lock_chat(frozen, 7)
        claim = await claim_batch(7, "a test")  # waits for the lock, and has it before it would give up
        assert claim is not None
        with pytest.raises(psycopg.Error):
            await frozen.execute("SELECT 1")


async def test_a_claim_that_nobody_works_on_ends_with_its_lease(pipeline: Any) -> None:
    await pipeline.agent()
    await pipeline.add_messages(10)
    await queue_knowledge_extraction_if_needed(7, "a test")
    await queue_knowledge_extraction_if_needed(7, "a test")
    assert await pipeline.queued() == 1
    await pipeline.database.execute("UPDATE extractions SET lease_expires_at = now() - interval '1 second'")
    await queue_knowledge_extraction_if_needed(7, "a test")
    assert await pipeline.queued() == 2
    states = await pipeline.rows("SELECT status, error FROM extractions ORDER BY claimed_at")
    assert states == [
        {"status": "failed", "error": "nothing worked on the claim within its lease"},
        {"status": "claimed", "error": None},
    ]
    assert await pipeline.value("SELECT count(*) FROM messages m JOIN extractions e ON e.id = m.extraction_id"
                                " WHERE e.status = 'claimed'") == 10  # fmt: skip


async def test_an_enqueue_that_fails_gives_the_claim_back_and_leaves_a_failed_task(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    await pipeline.agent()
    ids = await pipeline.add_messages(10)

    def plain_function() -> None: ...

    plain_function.task_name = scoring.extract_knowledge_from_messages_task.task_name  # type: ignore[attr-defined]
    with monkeypatch.context() as broken:
        broken.setattr(scoring, "extract_knowledge_from_messages_task", plain_function)
        with pytest.raises(AttributeError):
            await score_message_task(ids[0])
    assert "Failed to queue extraction task: 'function' object has no attribute 'kiq'" in log_lines
    assert await pipeline.value(CLAIMED) == 0
    (failed,) = await pipeline.rows("SELECT task, error, attempts FROM failed_tasks")
    assert failed["task"].endswith("app.tasks.extraction:extract_knowledge_from_messages_task")
    assert failed["error"] == "'function' object has no attribute 'kiq'"
    await score_message_task(ids[0])
    assert (await pipeline.work())[0] == "extract_knowledge_from_messages_task"
    assert await pipeline.value("SELECT count(*) FROM failed_tasks") == 0  # the new extraction did that work


async def test_a_message_that_is_not_there_is_not_tried_again(pipeline: Any) -> None:
    with pytest.raises(Exception, match="there is no message 4711"):
        await score_message_task(4711)
    (failed,) = await pipeline.rows("SELECT arguments, attempts FROM failed_tasks")
    assert failed == {"arguments": {"message_id": 4711}, "attempts": 1}


async def test_an_extraction_that_does_not_exist_is_a_dead_letter(pipeline: Any) -> None:
    unknown = str(uuid4())
    with pytest.raises(Exception, match=f"there is no extraction {unknown}"):
        await scoring.extract_knowledge_from_messages_task(unknown)
    assert await pipeline.value("SELECT arguments FROM failed_tasks") == {"extraction_id": unknown}
