"""What is found, and what never passes a threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from doctor.pipeline.app.tasks.embedding import embed_atoms_batch_task, embed_messages_batch_task

MESSAGES = "/api/v1/semantic_search/messages"


async def stored(pipeline: Any, *texts: str) -> None:
    """Save and embed messages with these texts."""
    ids = await pipeline.add_messages(len(texts))
    for number, text in zip(ids, texts, strict=True):
        await pipeline.database.execute("UPDATE messages SET content = %s WHERE id = %s", (text, number))
    await embed_messages_batch_task(ids)


async def test_similar_messages_are_found_best_first(pipeline: Any) -> None:
    await stored(pipeline, "alpha beta", "alpha beta gamma", "delta epsilon")
    answer = await pipeline.http.post(MESSAGES, json={"query": "alpha beta", "threshold": 0.7})
    results = answer.json()["results"]
    assert [found["content"] for found in results] == ["alpha beta", "alpha beta gamma"]
    assert results[0]["similarity"] == pytest.approx(1.0)
    assert results[1]["similarity"] == pytest.approx((1 + (2 / 3) ** 0.5) / 2, abs=1e-6)  # 1 - d/2 = (1 + cos) / 2


async def test_a_row_with_a_zero_vector_passes_no_threshold(pipeline: Any) -> None:
    await stored(pipeline, "alpha beta", "gamma")
    await pipeline.database.execute("UPDATE messages SET embedding = array_fill(0, ARRAY[64])::vector WHERE id = 2")
    for threshold in (0, 0.7, 1):
        found = (await pipeline.http.post(MESSAGES, json={"query": "alpha beta", "threshold": threshold})).json()
        assert [result["id"] for result in found["results"]] in ([1], [])  # rounding may hide equality at exactly 1


async def test_a_query_with_a_zero_vector_finds_nothing_and_says_so(pipeline: Any) -> None:
    await stored(pipeline, "alpha beta")
    pipeline.models.vector = [0.0] * 64
    answer = await pipeline.http.post(MESSAGES, json={"query": "alpha"})
    assert answer.status_code == 422
    assert "zero vector" in answer.json()["detail"]


async def test_the_limit_is_kept_with_an_index_too(pipeline: Any) -> None:
    await stored(pipeline, *(f"alpha beta {number}" for number in range(120)))
    await pipeline.database.execute("CREATE INDEX probe ON messages USING hnsw (embedding vector_cosine_ops)")
    await pipeline.database.execute("ANALYZE messages")
    answer = await pipeline.http.post(MESSAGES, json={"query": "alpha beta", "threshold": 0.5, "limit": 100})
    await pipeline.database.execute("DROP INDEX probe")
    assert answer.json()["total"] == 100


async def test_atoms_are_found(pipeline: Any) -> None:
    atom = await pipeline.value(
        "INSERT INTO atoms (type, title, content) VALUES ('decision', 'Rebuild', 'the index') RETURNING id"
    )
    await embed_atoms_batch_task([atom])
    answer = await pipeline.http.post("/api/v1/semantic_search/atoms", json={"query": "Rebuild the index"})
    (found,) = answer.json()["results"]
    assert (found["type"], found["title"], found["content"]) == ("decision", "Rebuild", "the index")


@pytest.mark.parametrize(
    ("setting", "detail"),
    [
        ({"ollama_host": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"ollama_embedding_model": "absent"}, "model 'absent' not found"),
        ({"embedding_dimensions": 768}, "the model gives 64 dimensions, the column holds 768"),
    ],
)
async def test_without_a_working_model_the_search_says_why(
    pipeline: Any, settings: Callable[..., None], setting: dict[str, Any], detail: str
) -> None:
    settings(**setting)
    answer = await pipeline.http.post(MESSAGES, json={"query": "alpha"})
    assert answer.status_code == 503
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"query": ""}',
        b'{"query": " \\u0000 "}',
        b'{"query": "a", "limit": 0}',
        b'{"query": "a", "limit": 101}',
        b'{"query": "a", "threshold": 1.5}',
        b'{"query": "a", "threshold": NaN}',
        b'{"query": "\\ud800"}',
        b'{"query": "a", "\\ud800": 1}',
    ],
)
async def test_a_search_that_makes_no_sense_is_refused(pipeline: Any, body: bytes) -> None:
    answer = await pipeline.http.post(MESSAGES, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"]
