"""An index that is made at its first use, once, whoever comes first, and that a failure does not block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from doctor.pipeline.app import semantic_index
from doctor.pipeline.app.semantic_index import MAX_AGE_SECONDS, SemanticIndex, SemanticIndexes
from doctor.pipeline.app.tasks.embedding import embed_messages_batch_task

USER = 7
INDEX = f"/api/v1/users/{USER}/index"


@pytest.fixture(autouse=True)
def no_index_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has just started."""
    from doctor.pipeline.app.routes import semantic_index as routes

    monkeypatch.setattr(routes, "indexes", SemanticIndexes())


async def written(pipeline: Any, *texts: str, user: int = USER) -> list[int]:
    """Save and embed messages of a user."""
    ids = await pipeline.add_messages(len(texts), user)
    for number, text in zip(ids, texts, strict=True):
        await pipeline.database.execute("UPDATE messages SET content = %s WHERE id = %s", (text, number))
    await embed_messages_batch_task(ids)
    return list(ids)


async def found(pipeline: Any, query: str, **more: Any) -> list[dict[str, Any]]:
    answer = await pipeline.http.post(f"{INDEX}/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


async def test_the_first_search_after_a_start_finds_what_the_user_has_written_and_nobody_else(pipeline: Any) -> None:
    near, far = await written(pipeline, "alpha beta", "alpha beta gamma")
    await written(pipeline, "alpha beta", user=8)
    results = await found(pipeline, "alpha beta")
    assert [one["message_id"] for one in results] == [near, far]
    assert results[0]["similarity"] == pytest.approx(1)
    assert results[1]["similarity"] == pytest.approx((1 + (2 / 3) ** 0.5) / 2, abs=1e-6)
    assert [one["message_id"] for one in await found(pipeline, "alpha beta", limit=1)] == [near]
    assert await found(pipeline, "omega", threshold=0.9) == []


async def test_what_is_indexed_by_the_first_call_is_found(pipeline: Any) -> None:
    answer = await pipeline.http.post(f"{INDEX}/content", json={"content": "delta epsilon"})
    assert (answer.status_code, answer.json()) == (201, {"size": 1})
    again = await pipeline.http.post(f"{INDEX}/content", json={"content": "delta epsilon"})
    assert again.json() == {"size": 1}
    (one,) = await found(pipeline, "delta epsilon")
    assert (one["message_id"], one["content"]) == (None, "delta epsilon")


async def test_a_text_is_compared_with_the_nearest_one(pipeline: Any) -> None:
    async def similarity(content: str) -> float | None:
        answer = await pipeline.http.post(f"{INDEX}/similarity", json={"content": content})
        return answer.json()["similarity"]  # type: ignore[no-any-return]

    assert await similarity("alpha") is None
    await pipeline.http.post(f"{INDEX}/content", json={"content": "alpha beta"})
    assert await similarity("alpha beta") == pytest.approx(1)
    assert await similarity("omega psi") == pytest.approx(0.5, abs=0.2)


async def test_a_message_without_a_direction_or_of_another_model_is_not_in_the_index(pipeline: Any) -> None:
    zero, other, kept = await written(pipeline, "alpha", "alpha", "alpha")
    await pipeline.database.execute(
        "UPDATE messages SET embedding = array_fill(0, ARRAY[64])::vector WHERE id = %s", (zero,)
    )
    await pipeline.database.execute("UPDATE messages SET embedding_model = 'other' WHERE id = %s", (other,))
    assert [one["message_id"] for one in await found(pipeline, "alpha", threshold=0)] == [kept]


@asynccontextmanager
async def counted_loads(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[int]]:
    """Count how often an index is loaded, and how many loads of one index go on at once."""
    at_once: list[int] = []
    running = 0
    real = SemanticIndex._load

    async def load(self: SemanticIndex) -> None:
        nonlocal running
        running += 1
        at_once.append(running)
        assert self.initializing
        try:
            await real(self)
        finally:
            running -= 1

    with monkeypatch.context() as patch:
        patch.setattr(SemanticIndex, "_load", load)
        yield at_once


async def test_many_first_calls_at_once_load_it_once_and_all_find(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(pipeline, "alpha beta")
    index = SemanticIndex(USER)
    async with counted_loads(monkeypatch) as at_once:
        answers = await asyncio.gather(*(index.search("alpha beta", 10, 0.7) for _ in range(20)))
    assert at_once == [1]
    assert all(len(answer) == 1 for answer in answers)


async def test_a_load_that_failed_is_tried_again_by_the_next_call(
    pipeline: Any, settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(pipeline, "alpha beta")
    index = SemanticIndex(USER)
    with monkeypatch.context() as patch:
        patch.setattr(semantic_index, "SELECT_VECTORS", "SELECT 1 / 0, %(user_id)s, %(model)s, %(limit)s")
        for _ in range(2):
            with pytest.raises(psycopg.DataError):
                await index.search("alpha beta", 10, 0.7)
            assert not index.initializing
    assert len(await index.search("alpha beta", 10, 0.7)) == 1


async def test_a_call_that_is_cancelled_while_it_loads_blocks_nobody(pipeline: Any) -> None:
    await written(pipeline, "alpha beta")
    index = SemanticIndex(USER)
    first = asyncio.create_task(index.search("alpha beta", 10, 0.7))
    while not index.initializing:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    assert first.cancelled()
    assert not index.initializing
    assert len(await index.search("alpha beta", 10, 0.7)) == 1


async def test_what_was_embedded_since_is_found_when_the_index_has_aged(pipeline: Any) -> None:
    now = 0.0
    index = SemanticIndex(USER, clock=lambda: now)
    await written(pipeline, "alpha beta")
    assert len(await index.search("alpha beta", 10, 0.7)) == 1
    await index.index_content("alpha")
    await written(pipeline, "alpha beta")
    assert len(await index.search("alpha beta", 10, 0.7)) == 2
    now += MAX_AGE_SECONDS
    assert len(await index.search("alpha beta", 10, 0.7)) == 3


async def test_memory_is_bounded(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic_index, "LARGEST_INDEX", 2)
    monkeypatch.setattr(semantic_index, "LARGEST_NOTES", 2)
    monkeypatch.setattr(semantic_index, "MOST_INDEXES", 2)
    ids = await written(pipeline, "alpha", "alpha", "alpha")
    indexes = SemanticIndexes()
    index = indexes.of(USER)
    for text in ("beta", "gamma", "delta"):
        size = await index.index_content(text)
    assert size == 4
    texts = await index.search("alpha", 10, 0)
    assert {one.message_id for one in texts} == {*ids[1:], None}
    assert {one.content for one in texts} == {"alpha", "gamma", "delta"}
    indexes.of(1)
    assert indexes.of(USER) is index
    indexes.of(2)
    indexes.of(3)
    assert indexes.of(USER) is not index


async def test_a_text_that_cannot_be_embedded_is_refused_and_the_index_stays_whole(pipeline: Any) -> None:
    pipeline.models.vector = [0.0] * 64
    answer = await pipeline.http.post(f"{INDEX}/content", json={"content": "alpha"})
    assert answer.status_code == 422
    pipeline.models.vector = None
    assert await found(pipeline, "alpha", threshold=0) == []


async def test_without_the_model_server_the_index_says_so(pipeline: Any, settings: Callable[..., None]) -> None:
    settings(ollama_host="http://127.0.0.1:9")
    answer = await pipeline.http.post(f"{INDEX}/search", json={"query": "alpha"})
    assert answer.status_code == 503
