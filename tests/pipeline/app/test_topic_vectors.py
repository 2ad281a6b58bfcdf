"""Vectors of topics: switched on, they come with the extraction and go with the text; switched off, there are none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from doctor.pipeline.app.embeddings import Entity, embed_rows
from doctor.pipeline.app.schema import apply_schema
from doctor.pipeline.app.settings import get_settings
from doctor.pipeline.app.tasks import extraction as task_module
from doctor.pipeline.app.tasks.embedding import (
    embed_atoms_batch_task,
    embed_messages_batch_task,
    embed_topics_batch_task,
)
from doctor.pipeline.app.tasks.extraction import extract_knowledge_from_messages_task
from doctor.pipeline.app.tasks.scoring import claim_batch

SEARCH = "/api/v1/semantic_search/topics"
COLUMNS = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'topics' AND column_name = 'embedding'"
VECTORS = "SELECT name, embedding_model FROM topics WHERE embedding IS NOT NULL ORDER BY id"
BOTH = [
    {"name": "Indexes", "embedding_model": "nomic-embed-text"},
    {"name": "Releases", "embedding_model": "nomic-embed-text"},
]


@pytest_asyncio.fixture(loop_scope="session")
async def with_topics(pipeline: Any, settings: Callable[..., None]) -> AsyncIterator[Any]:
    """The application with EMBED_TOPICS, and the schema applied twice; without both again at the end."""
    settings(embed_topics=True)
    for _ in range(2):
        await apply_schema(get_settings())
    yield pipeline
    await pipeline.database.execute("DROP TRIGGER topics_forget_vector ON topics")
    await pipeline.database.execute("ALTER TABLE topics DROP COLUMN embedding, DROP COLUMN embedding_model")


async def extract(pipeline: Any) -> list[str]:
    """Extract a batch and run what it queues; return the names of those tasks."""
    await pipeline.add_messages(12)
    claim = await claim_batch(7, "a test")
    assert claim is not None
    await extract_knowledge_from_messages_task(str(claim.extraction_id))
    done: list[str] = await pipeline.work()
    return done


async def test_without_the_switch_topics_have_no_vector_column(pipeline: Any) -> None:
    await pipeline.agent()
    await apply_schema(get_settings())
    assert await pipeline.value(COLUMNS) == 0
    assert await extract(pipeline) == ["embed_atoms_batch_task", "embed_messages_batch_task"]
    answer = await pipeline.http.post(SEARCH, json={"query": "Indexes"})
    assert answer.status_code == 409
    assert "topics are not embedded: set EMBED_TOPICS" in answer.json()["detail"]


async def test_topics_get_their_vectors_with_the_extraction_and_are_found(with_topics: Any) -> None:
    await with_topics.agent()
    assert (await extract(with_topics))[-1] == "embed_topics_batch_task"
    assert await with_topics.rows(VECTORS) == BOTH
    assert with_topics.models.asked("/api/embed")[-1]["input"][0] == "Indexes\n\nAbout indexes"
    found = (await with_topics.http.post(SEARCH, json={"query": "about indexes", "threshold": 0.8})).json()
    assert [(topic["name"], topic["chat_id"]) for topic in found["results"]] == [("Indexes", 7)]
    asked = len(with_topics.models.asked("/api/embed"))
    await embed_topics_batch_task([1, 2])
    assert len(with_topics.models.asked("/api/embed")) == asked  # their texts are as they were


async def test_a_topic_that_is_described_anew_is_embedded_anew(with_topics: Any) -> None:
    await with_topics.agent()
    await extract(with_topics)
    await with_topics.database.execute("UPDATE topics SET description = 'Other words' WHERE name = 'Indexes'")
    assert await with_topics.rows(VECTORS) == BOTH[1:]
    await with_topics.database.execute("UPDATE topics SET updated_at = now(), description = description")
    assert await with_topics.rows(VECTORS) == BOTH[1:]
    queued = (await with_topics.http.post("/api/v1/embeddings/backfill", json={})).json()["queued"]
    assert queued == {"messages": 0, "atoms": 0, "topics": 1}
    await with_topics.work()
    assert await with_topics.rows(VECTORS) == BOTH


async def test_a_failed_enqueue_leaves_a_dead_letter_and_the_extraction_stands(
    with_topics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_topics.agent()

    def plain_function() -> None: ...

    plain_function.task_name = embed_topics_batch_task.task_name  # type: ignore[attr-defined]
    monkeypatch.setattr(task_module, "embed_topics_batch_task", plain_function)
    await extract(with_topics)
    assert await with_topics.value("SELECT status FROM extractions") == "completed"
    (letter,) = (await with_topics.http.get("/api/v1/dead_letters")).json()["items"]
    assert (letter["task"], letter["arguments"]) == (embed_topics_batch_task.task_name, {"ids": [1, 2]})
    monkeypatch.undo()
    await with_topics.http.post(f"/api/v1/dead_letters/{letter['id']}/replay")
    await with_topics.work()
    assert await with_topics.rows(VECTORS) == BOTH
    assert await with_topics.value("SELECT count(*) FROM failed_tasks") == 0


async def test_an_enqueue_of_which_only_the_receipt_was_lost_leaves_no_dead_letter(
    with_topics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_topics.agent()
    entities = {
        embed_messages_batch_task: Entity.MESSAGES,
        embed_atoms_batch_task: Entity.ATOMS,
        embed_topics_batch_task: Entity.TOPICS,
    }
    done = []

    def without_receipt(entity: Entity) -> Callable[[list[int]], Awaitable[None]]:
        async def kiq(ids: list[int]) -> None:
            done.append(await embed_rows(entity, ids))
            raise TimeoutError("no receipt")

        return kiq

    for task, entity in entities.items():
        monkeypatch.setattr(task, "kiq", without_receipt(entity))
    await extract(with_topics)
    assert len(done) == len(entities)
    assert all(done)
    assert await with_topics.value("SELECT count(*) FROM failed_tasks") == 0


async def test_switched_on_without_the_schema_the_extraction_stands_and_the_search_says_what_to_do(
    pipeline: Any, settings: Callable[..., None]
) -> None:
    settings(embed_topics=True)
    await pipeline.agent()
    await extract(pipeline)
    assert await pipeline.value("SELECT status FROM extractions") == "completed"
    (letter,) = (await pipeline.http.get("/api/v1/dead_letters")).json()["items"]
    assert letter["task"] == embed_topics_batch_task.task_name
    answer = await pipeline.http.post(SEARCH, json={"query": "Indexes"})
    assert answer.status_code == 503
    assert "apply the schema" in answer.json()["detail"]
