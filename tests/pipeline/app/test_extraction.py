"""What an extraction leaves in the database, when it goes well and when it does not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from doctor.pipeline.app.knowledge import InvalidAnswerError
from doctor.pipeline.app.language_models import ModelMissingError, ModelUnavailableError
from doctor.pipeline.app.tasks import extraction as task_module
from doctor.pipeline.app.tasks.extraction import extract_knowledge_from_messages_task
from doctor.pipeline.app.tasks.scoring import claim_batch

EFFECTS = (
    "SELECT (SELECT count(*) FROM topics) AS topics, (SELECT count(*) FROM atoms) AS atoms,"
    " (SELECT count(*) FROM atom_links) AS links, (SELECT count(topic_id) FROM messages) AS assigned"
)
GOOD = {"topics": 2, "atoms": 3, "links": 1, "assigned": 11}
NOTHING = {"topics": 0, "atoms": 0, "links": 0, "assigned": 0}


async def claimed(pipeline: Any, count: int = 12) -> str:
    """Claim a batch and return its extraction."""
    await pipeline.add_messages(count)
    claim = await claim_batch(7, "a test")
    assert claim is not None
    return str(claim.extraction_id)


async def test_a_batch_becomes_topics_atoms_links_and_vectors(pipeline: Any, log_lines: list[str]) -> None:
    await pipeline.agent()
    extraction = await claimed(pipeline)
    await extract_knowledge_from_messages_task(extraction)
    assert await pipeline.rows(EFFECTS) == [GOOD]
    agent_id = await pipeline.value("SELECT id FROM agent_configs")
    for line in (
        f"Starting knowledge extraction task: 12 messages with agent {agent_id}",
        "Starting knowledge extraction for 12 messages using agent 'knowledge_extractor' (model: chat)",
        "Knowledge extraction completed: 2 topics processed, 3 atoms processed, 1 links created, 11 messages updated",
        "Queueing embedding generation for 3 atoms",
        "Queueing embedding generation for 12 messages",
    ):
        assert line in log_lines
    assert await pipeline.work() == ["embed_atoms_batch_task", "embed_messages_batch_task"]
    assert "Starting batch atom embedding task: 3 atoms" in log_lines
    for table in ("messages", "atoms"):
        assert await pipeline.value(f"SELECT count(*) FROM {table} WHERE embedding IS NULL") == 0
    (body,) = pipeline.models.asked("/api/chat")
    assert body["messages"][0] == {"role": "system", "content": "You extract knowledge from messages."}
    assert body["messages"][1]["content"].startswith("[1] Message ")
    assert body["format"]["required"] == ["topics", "atoms", "links"]
    assert body["options"] == {"temperature": 0.3, "num_predict": 4000, "num_ctx": 8192}
    (row,) = await pipeline.rows("SELECT status, model_used, used_fallback FROM extractions")
    assert row == {"status": "completed", "model_used": "chat", "used_fallback": False}
    (logged,) = await pipeline.rows(
        "SELECT status, attempts, model_used, used_fallback FROM task_executions WHERE task LIKE '%%extract%%'"
    )
    assert logged == {"status": "succeeded", "attempts": 1, "model_used": "chat", "used_fallback": False}


async def test_a_redelivery_has_no_second_effect_and_completes_the_first(pipeline: Any) -> None:
    await pipeline.agent()
    extraction = await claimed(pipeline)
    await extract_knowledge_from_messages_task(extraction)
    await pipeline.work()
    await pipeline.database.execute("UPDATE atoms SET embedding = NULL WHERE id = 1")  # as if cut short before it
    await extract_knowledge_from_messages_task(extraction)
    assert await pipeline.rows(EFFECTS) == [GOOD]
    assert len(pipeline.models.asked("/api/chat")) == 1
    assert await pipeline.work() == ["embed_atoms_batch_task"]


async def test_two_runs_at_once_have_their_effect_once(pipeline: Any) -> None:
    await pipeline.agent()
    extraction = await claimed(pipeline)
    await asyncio.gather(*(extract_knowledge_from_messages_task(extraction) for _ in range(3)))
    assert await pipeline.rows(EFFECTS) == [GOOD]


async def test_messages_that_the_model_leaves_out_are_not_extracted_again(pipeline: Any) -> None:
    await pipeline.agent()
    await extract_knowledge_from_messages_task(await claimed(pipeline))
    assert await pipeline.value("SELECT count(*) FROM messages WHERE topic_id IS NULL") == 1
    await pipeline.add_messages(9)
    assert await claim_batch(7, "a test") is None


async def test_ids_outside_the_batch_change_nothing(pipeline: Any) -> None:
    await pipeline.agent()
    (other,) = await pipeline.add_messages(1, chat_id=8)
    extraction = await claimed(pipeline)
    inside = await pipeline.value("SELECT min(id) FROM messages WHERE chat_id = 7")
    topic = {"name": "One", "description": "", "message_ids": [other, inside, 999_999, -1, 2**70, inside]}
    again = {"name": "Two", "description": "", "message_ids": [inside]}
    atom = {"type": "Insight", "title": "T", "content": "C", "topic": "one", "message_ids": [other, inside]}
    loop = {"from": "T", "to": "T", "type": "solves"}
    pipeline.models.answers.append(json.dumps({"topics": [topic, again], "atoms": [atom], "links": [loop]}))
    await extract_knowledge_from_messages_task(extraction)
    assert await pipeline.rows("SELECT id, topic_id FROM messages WHERE topic_id IS NOT NULL") == [
        {"id": inside, "topic_id": 1}
    ]
    assert await pipeline.rows("SELECT type, topic_id, message_ids, confidence FROM atoms") == [
        {"type": "insight", "topic_id": 1, "message_ids": [inside], "confidence": None}
    ]
    assert await pipeline.value("SELECT count(*) FROM atom_links") == 0


async def test_a_topic_that_is_known_is_used_again(pipeline: Any) -> None:
    await pipeline.agent()
    await extract_knowledge_from_messages_task(await claimed(pipeline))
    await extract_knowledge_from_messages_task(await claimed(pipeline))
    assert await pipeline.rows(EFFECTS) == [{"topics": 2, "atoms": 6, "links": 2, "assigned": 22}]


@pytest.mark.parametrize("failure", ["missing", "refusing", "invalid"])
async def test_the_fallback_model_works_when_the_first_does_not(
    pipeline: Any, failure: str, log_lines: list[str]
) -> None:
    await pipeline.agent(model="absent" if failure == "missing" else "chat", fallback="spare")
    pipeline.models.answers.extend(
        {"missing": [], "refusing": [(500, "out of memory")], "invalid": ["{", "{"]}[failure]
    )
    await extract_knowledge_from_messages_task(await claimed(pipeline))
    assert await pipeline.rows(EFFECTS) == [GOOD]
    assert await pipeline.rows("SELECT model_used, used_fallback FROM extractions") == [
        {"model_used": "spare", "used_fallback": True}
    ]
    assert await pipeline.value("SELECT used_fallback FROM task_executions WHERE task LIKE '%%extract%%'") is True
    assert any("using fallback model 'spare'" in line for line in log_lines)


async def test_invalid_json_is_asked_for_once_more(pipeline: Any) -> None:
    await pipeline.agent()
    pipeline.models.answers.append("Sure, here you are: {")
    await extract_knowledge_from_messages_task(await claimed(pipeline))
    assert await pipeline.rows(EFFECTS) == [GOOD]
    assert len(pipeline.models.asked("/api/chat")) == 2


async def test_invalid_json_twice_is_a_dead_letter_and_the_claim_is_given_back(pipeline: Any) -> None:
    await pipeline.agent()
    extraction = await claimed(pipeline)
    pipeline.models.answers.extend(['{"topics": 1}'] * 9)
    with pytest.raises(InvalidAnswerError):
        await extract_knowledge_from_messages_task(extraction)
    assert len(pipeline.models.asked("/api/chat")) == 2
    assert await pipeline.rows(EFFECTS) == [NOTHING]
    (failed,) = await pipeline.rows("SELECT task, arguments, error, attempts FROM failed_tasks")
    assert failed["task"] == extract_knowledge_from_messages_task.task_name
    assert failed["arguments"] == {"extraction_id": extraction}
    assert "answer is invalid at topics" in failed["error"]
    assert failed["attempts"] == 1
    assert await pipeline.value("SELECT count(*) FROM messages WHERE extraction_id IS NOT NULL") == 0
    assert await pipeline.value("SELECT status FROM extractions") == "failed"


async def test_a_missing_model_is_a_dead_letter_until_the_messages_are_extracted(pipeline: Any) -> None:
    await pipeline.agent(model="absent")
    with pytest.raises(ModelMissingError, match="model 'absent' at .*: model 'absent' not found"):
        await extract_knowledge_from_messages_task(await claimed(pipeline))
    assert await pipeline.value("SELECT attempts FROM failed_tasks") == 1
    await pipeline.database.execute("UPDATE agent_configs SET model_name = 'chat'")
    claim = await claim_batch(7, "a test")
    assert claim is not None
    await extract_knowledge_from_messages_task(str(claim.extraction_id))
    assert await pipeline.rows(EFFECTS) == [GOOD]
    assert await pipeline.value("SELECT count(*) FROM failed_tasks") == 0


async def test_a_dead_letter_can_be_run_again_as_it_is(pipeline: Any) -> None:
    await pipeline.agent()
    extraction = await claimed(pipeline)
    pipeline.models.answers.extend([(503, "server busy")] * 3)
    with pytest.raises(ModelUnavailableError):
        await extract_knowledge_from_messages_task(extraction)
    assert await pipeline.value("SELECT attempts FROM failed_tasks") == 3
    await extract_knowledge_from_messages_task(extraction)
    assert await pipeline.rows(EFFECTS) == [GOOD]
    assert await pipeline.value("SELECT count(*) FROM failed_tasks") == 0


async def test_an_extraction_whose_messages_were_taken_meanwhile_does_nothing(pipeline: Any) -> None:
    await pipeline.agent()
    old = await claimed(pipeline)
    await pipeline.database.execute("UPDATE extractions SET lease_expires_at = now() - interval '1 second'")
    new = await claim_batch(7, "a test")
    assert new is not None
    await extract_knowledge_from_messages_task(old)
    assert pipeline.models.asked("/api/chat") == []
    await extract_knowledge_from_messages_task(str(new.extraction_id))
    assert await pipeline.rows(EFFECTS) == [GOOD]


async def test_a_failed_embedding_enqueue_never_fails_the_extraction(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    await pipeline.agent()

    def plain_function() -> None: ...

    plain_function.task_name = "app.tasks.embedding:embed_atoms_batch_task"  # type: ignore[attr-defined]
    monkeypatch.setattr(task_module, "embed_atoms_batch_task", plain_function)
    await extract_knowledge_from_messages_task(await claimed(pipeline))
    assert await pipeline.rows(EFFECTS) == [GOOD]
    assert "Failed to queue embedding task: 'function' object has no attribute 'kiq'" in log_lines
    assert await pipeline.rows("SELECT task, arguments FROM failed_tasks") == [
        {"task": "app.tasks.embedding:embed_atoms_batch_task", "arguments": {"ids": [1, 2, 3]}}
    ]
    assert await pipeline.work() == ["embed_messages_batch_task"]


async def test_when_the_queue_refuses_the_embeddings_the_extraction_stands_and_a_replay_makes_up_for_it(
    pipeline: Any,
) -> None:
    await pipeline.agent()
    extraction = await claimed(pipeline)
    async with pipeline.refusing_tasks():
        await extract_knowledge_from_messages_task(extraction)
    assert await pipeline.rows(EFFECTS) == [GOOD]
    assert await pipeline.value("SELECT status FROM task_executions") == "succeeded"
    failed = await pipeline.rows("SELECT task, error FROM failed_tasks ORDER BY task")
    assert [row["task"].rpartition(":")[2] for row in failed] == ["embed_atoms_batch_task", "embed_messages_batch_task"]
    assert all("Cannot send task to the queue" in row["error"] for row in failed)
    assert (await pipeline.http.post("/api/v1/dead_letters/replay", json={})).json()["queued"] == 2
    await pipeline.work()
    assert await pipeline.value("SELECT count(*) FROM failed_tasks") == 0
    for table in ("messages", "atoms"):
        assert await pipeline.value(f"SELECT count(*) FROM {table} WHERE embedding IS NULL") == 0


async def test_an_openai_type_provider_is_asked_with_its_key(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_API_KEY", "key-of-the-test")
    base_url = pipeline.models.url + "/v1"
    await pipeline.agent(type="openai", base_url=base_url, api_key_env="EXAMPLE_API_KEY", model="chat:latest")
    await extract_knowledge_from_messages_task(await claimed(pipeline))
    assert await pipeline.rows(EFFECTS) == [GOOD]
    (body,) = pipeline.models.asked("/v1/chat/completions")
    assert body["response_format"]["json_schema"]["strict"] is True
    assert (body["temperature"], body["max_tokens"]) == (0.3, 4000)
    assert pipeline.models.headers[-1]["authorization"] == "Bearer key-of-the-test"


async def test_a_key_that_is_not_set_is_named(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXAMPLE_API_KEY", raising=False)
    await pipeline.agent(type="openai", base_url=pipeline.models.url + "/v1", api_key_env="EXAMPLE_API_KEY")
    with pytest.raises(Exception, match="environment variable EXAMPLE_API_KEY is not set"):
        await extract_knowledge_from_messages_task(await claimed(pipeline))
