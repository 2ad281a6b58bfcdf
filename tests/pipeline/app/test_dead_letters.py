"""The log of executions, and dead letters: seen, sent again, gone when their work is done."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from doctor.pipeline.app.dead_letters import record_failure
from doctor.pipeline.app.language_models import ModelMissingError
from doctor.pipeline.app.tasks.embedding import embed_messages_batch_task
from doctor.pipeline.app.tasks.extraction import extract_knowledge_from_messages_task
from doctor.pipeline.app.tasks.ingestion import save_telegram_message
from doctor.pipeline.app.tasks.scoring import claim_batch

EXECUTIONS = "/api/v1/task_executions"
LETTERS = "/api/v1/dead_letters"


async def all_pages(http: httpx.AsyncClient, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    """Follow ``next`` to the end."""
    pages = []
    while True:
        answer = await http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        pages.append(page["items"])
        if page["next"] is None:
            return pages
        query["after"] = page["next"]


async def failed_embedding(pipeline: Any, settings: Any) -> list[int]:
    """Leave a dead letter of a real failure: the embedding model was missing."""
    ids: list[int] = await pipeline.add_messages(2)
    settings(ollama_embedding_model="absent")
    with pytest.raises(ModelMissingError):
        await embed_messages_batch_task(ids)
    settings()
    return ids


async def test_the_log_shows_the_model_that_did_the_work_and_whether_it_was_the_fallback(pipeline: Any) -> None:
    await pipeline.agent(model="absent", fallback="spare")
    await pipeline.add_messages(10)
    claim = await claim_batch(7, "a test")
    assert claim is not None
    await extract_knowledge_from_messages_task(str(claim.extraction_id))
    (row,) = (await pipeline.http.get(EXECUTIONS)).json()["items"]
    assert row["task"] == extract_knowledge_from_messages_task.task_name
    assert (row["status"], row["attempts"], row["error"]) == ("succeeded", 1, None)
    assert (row["model_used"], row["used_fallback"]) == ("spare", True)
    assert row["started_at"] < row["finished_at"]


async def test_the_log_can_be_asked_for_one_task_or_status(pipeline: Any, settings: Any) -> None:
    ids = await failed_embedding(pipeline, settings)
    await embed_messages_batch_task(ids)
    task = embed_messages_batch_task.task_name
    for query, statuses in (
        ({}, ["succeeded", "failed"]),
        ({"task": "app:no_such_task"}, []),
        ({"task": task, "status": "failed"}, ["failed"]),
    ):
        items = (await pipeline.http.get(EXECUTIONS, params=query)).json()["items"]
        assert [row["status"] for row in items] == statuses
    assert "model 'absent' not found" in items[0]["error"]


async def test_pages_follow_one_another_without_gap_or_overlap(pipeline: Any) -> None:
    for number in range(7):
        await record_failure("app:task", {"number": number}, ValueError("broken"), attempts=1)
    pages = await all_pages(pipeline.http, LETTERS, limit=3)
    assert [[letter["arguments"]["number"] for letter in page] for page in pages] == [[6, 5, 4], [3, 2, 1], [0]]
    assert [len(page) for page in await all_pages(pipeline.http, LETTERS, limit=7)] == [7]
    assert await all_pages(pipeline.http, LETTERS, task="app:other") == [[]]
    # What comes in meanwhile shifts nothing.
    first = (await pipeline.http.get(LETTERS, params={"limit": 3})).json()
    await record_failure("app:task", {"number": 7}, ValueError("broken"), attempts=1)
    second = (await pipeline.http.get(LETTERS, params={"limit": 3, "after": first["next"]})).json()
    assert [letter["arguments"]["number"] for letter in second["items"]] == [3, 2, 1]


async def test_configuration_comes_in_pages_by_name(pipeline: Any) -> None:
    for name in ("b", "Ä", "a", "c d"):
        await pipeline.http.post("/api/v1/providers", json={"name": name, "type": "ollama"})
    pages = await all_pages(pipeline.http, "/api/v1/providers", limit=2)
    assert [len(page) for page in pages] == [2, 2]
    assert sorted(row["name"] for page in pages for row in page) == sorted(("b", "Ä", "a", "c d"))
    assert await all_pages(pipeline.http, "/api/v1/agent_configs") == [[]]


async def test_a_dead_letter_is_replayed_and_gone_when_its_work_is_done(pipeline: Any, settings: Any) -> None:
    ids = await failed_embedding(pipeline, settings)
    (letter,) = (await pipeline.http.get(LETTERS)).json()["items"]
    assert (letter["task"], letter["arguments"]) == (embed_messages_batch_task.task_name, {"ids": ids})
    assert "model 'absent' not found" in letter["error"]
    for _ in range(2):  # twice is once
        answer = await pipeline.http.post(f"{LETTERS}/{letter['id']}/replay")
        assert (answer.status_code, answer.json()) == (202, {"queued": 1, "refused": [], "next": None})
    assert len((await pipeline.http.get(LETTERS)).json()["items"]) == 1  # not done yet
    assert await pipeline.work() == ["embed_messages_batch_task"] * 2
    assert len(pipeline.models.asked("/api/embed")) == 2  # the failure, and one request that worked
    assert (await pipeline.http.get(LETTERS)).json()["items"] == []
    assert (await pipeline.http.post(f"{LETTERS}/{letter['id']}/replay")).status_code == 404


async def test_a_replay_that_fails_again_leaves_the_same_dead_letter(pipeline: Any, settings: Any) -> None:
    await failed_embedding(pipeline, settings)
    (letter,) = (await pipeline.http.get(LETTERS)).json()["items"]
    settings(ollama_embedding_model="absent")
    await pipeline.http.post(f"{LETTERS}/{letter['id']}/replay")
    await pipeline.work()
    (again,) = (await pipeline.http.get(LETTERS)).json()["items"]
    assert (again["id"], again["attempts"]) == (letter["id"], letter["attempts"] + 1)


async def test_many_are_replayed_at_once_and_what_cannot_run_is_named(pipeline: Any, settings: Any) -> None:
    await record_failure("app:gone", {}, ValueError("removed"), attempts=1)
    task = embed_messages_batch_task.task_name
    await record_failure(task, {"identifiers": [1]}, TypeError("renamed"), attempts=1)
    await failed_embedding(pipeline, settings)
    incoming = {"chat_id": 7, "message_id": 1, "sender": None, "content": "hello", "sent_at": "2026-01-01T00:00:00Z"}
    incoming["revised_at"] = incoming["sent_at"]
    await record_failure(save_telegram_message.task_name, {"message": incoming}, OSError("down"), attempts=3)
    answer = (await pipeline.http.post(f"{LETTERS}/replay", json={})).json()
    assert (answer["queued"], answer["next"]) == (2, None)
    assert [refused["reason"] for refused in answer["refused"]] == [
        f"the arguments do not fit '{task}': missing a required argument: 'ids'",
        "there is no task 'app:gone'",
    ]
    assert await pipeline.work() == ["save_telegram_message", "embed_messages_batch_task", "score_message_task"]
    left = (await pipeline.http.get(LETTERS)).json()["items"]
    assert {letter["task"] for letter in left} == {"app:gone", task}
    refused = await pipeline.http.post(f"{LETTERS}/{left[-1]['id']}/replay")
    assert (refused.status_code, refused.json()) == (409, {"detail": "there is no task 'app:gone'"})
    assert (await pipeline.http.post(f"{LETTERS}/replay", json={"task": task, "limit": 1})).json()["queued"] == 0


async def test_without_the_queue_a_dead_letter_stays(pipeline: Any, settings: Any) -> None:
    await failed_embedding(pipeline, settings)
    async with pipeline.refusing_tasks():
        answer = await pipeline.http.post(f"{LETTERS}/replay", json={})
        assert (answer.status_code, answer.json()["detail"][:14]) == (503, "the task queue")
        assert len((await pipeline.http.get(LETTERS)).json()["items"]) == 1


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (EXECUTIONS, {"limit": 0}),
        (EXECUTIONS, {"limit": 201}),
        (EXECUTIONS, {"after": 0}),
        (EXECUTIONS, {"after": 2**63}),
        (EXECUTIONS, {"status": "running"}),
        (EXECUTIONS, {"task": "a\x00b"}),
        (LETTERS, {"task": ""}),
        ("/api/v1/providers", {"after": "a\x00b"}),
    ],
)
async def test_a_page_that_makes_no_sense_is_refused(pipeline: Any, path: str, query: dict[str, Any]) -> None:
    assert (await pipeline.http.get(path, params=query)).status_code == 422
