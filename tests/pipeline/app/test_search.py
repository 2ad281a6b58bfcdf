"""What is found, and what never passes a threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from doctor.pipeline.app.tasks.embedding import embed_atoms_batch_task, embed_messages_batch_task
from doctor.pipeline.app.tasks.extraction import extract_knowledge_from_messages_task
from doctor.pipeline.app.tasks.scoring import claim_batch

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


@pytest.mark.parametrize("table", ["messages", "atoms"])
async def test_vectors_are_stored_in_the_rows_that_a_search_reads(pipeline: Any, table: str) -> None:
    storage = "SELECT attstorage FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'embedding'"
    assert await pipeline.value(storage, table) == "m"  # main: outside only what does not fit into a page


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


async def stored_atoms(pipeline: Any, *texts: str) -> list[int]:
    """Save and embed atoms with these texts."""
    statement = "INSERT INTO atoms (type, title, content) VALUES ('insight', 'Note', %s) RETURNING id"
    ids = [await pipeline.value(statement, text) for text in texts]
    await embed_atoms_batch_task(ids)
    return ids


async def test_rows_near_a_row_are_found_best_first_without_the_row_itself(pipeline: Any) -> None:
    texts = ("alpha beta gamma", "alpha beta gamma delta", "alpha beta", "omega psi chi")
    await stored(pipeline, *texts)
    await stored_atoms(pipeline, *texts)
    for table in ("messages", "atoms"):
        answer = (await pipeline.http.get(f"/api/v1/{table}/1/similar", params={"threshold": 0.8})).json()
        assert [found["id"] for found in answer["results"]] == [2, 3]
        assert answer["total"] == 2
        one = (await pipeline.http.get(f"/api/v1/{table}/1/similar", params={"limit": 1})).json()
        assert [found["id"] for found in one["results"]] == [2]


async def test_duplicates_are_what_is_at_least_95_percent_similar(pipeline: Any) -> None:
    words = "one two three four five six seven eight nine ten"
    texts = (words, f"{words} eleven", words.removesuffix(" nine ten"), "alpha beta")
    await stored(pipeline, *texts)
    await stored_atoms(pipeline, *texts)
    for table in ("messages", "atoms"):
        found = (await pipeline.http.get(f"/api/v1/{table}/1/duplicates")).json()["results"]
        near = (await pipeline.http.get(f"/api/v1/{table}/1/similar", params={"threshold": 0})).json()["results"]
        assert {row["id"] for row in near} == {2, 3, 4}
        assert [row["id"] for row in found] == [row["id"] for row in near if row["similarity"] >= 0.95]
        assert 2 in {row["id"] for row in found}
        assert 4 not in {row["id"] for row in found}


async def test_only_vectors_of_one_model_are_compared(pipeline: Any) -> None:
    await stored(pipeline, "alpha", "alpha", "alpha", "alpha")
    await pipeline.database.execute("UPDATE messages SET embedding_model = 'other' WHERE id IN (2, 3)")
    await pipeline.database.execute("UPDATE messages SET embedding_model = NULL WHERE id = 4")  # nobody noted it
    for row, near in ((1, {4}), (2, {3, 4}), (4, {1, 2, 3})):
        found = (await pipeline.http.get(f"/api/v1/messages/{row}/similar")).json()["results"]
        assert {each["id"] for each in found} == near
    found = (await pipeline.http.post(MESSAGES, json={"query": "alpha"})).json()["results"]
    assert {each["id"] for each in found} == {1, 4}


async def test_a_row_that_is_unknown_or_without_vector_is_near_nothing(pipeline: Any) -> None:
    await pipeline.add_messages(1)
    await stored_atoms(pipeline, "alpha")
    await pipeline.database.execute("UPDATE atoms SET embedding = array_fill(0, ARRAY[64])::vector")
    for path, status, detail in (
        ("messages/1/similar", 409, "row 1 in messages has no vector yet"),
        ("messages/2/duplicates", 404, "there is no row 2 in messages"),
        ("atoms/7/similar", 404, "there is no row 7 in atoms"),
    ):
        answer = await pipeline.http.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert (await pipeline.http.get("/api/v1/atoms/1/similar")).json() == {"results": [], "total": 0}
    for path in ("messages/0/similar", f"atoms/{2**63}/similar", "messages/1/similar?threshold=nan"):
        assert (await pipeline.http.get(f"/api/v1/{path}")).status_code == 422


async def test_what_is_stored_is_listed_newest_first(pipeline: Any) -> None:
    await pipeline.agent()
    await pipeline.add_messages(12)
    await pipeline.add_messages(1, chat_id=8)
    claim = await claim_batch(7, "a test")
    assert claim is not None
    await extract_knowledge_from_messages_task(str(claim.extraction_id))
    await pipeline.work()
    topics = (await pipeline.http.get("/api/v1/topics", params={"chat_id": 7})).json()["items"]
    assert [topic["name"] for topic in topics] == ["Releases", "Indexes"]
    of_topic = {"topic_id": topics[1]["id"]}
    messages = (await pipeline.http.get("/api/v1/messages", params=of_topic)).json()["items"]
    assert [message["id"] for message in messages] == [6, 5, 4, 3, 2, 1]
    assert {message["embedding_model"] for message in messages} == {"nomic-embed-text"}
    newest = (await pipeline.http.get("/api/v1/messages", params={"limit": 1})).json()
    assert (newest["items"][0]["chat_id"], newest["next"]) == (8, 13)
    atoms = (await pipeline.http.get("/api/v1/atoms", params=of_topic | {"type": "solution"})).json()["items"]
    assert [(atom["type"], atom["message_ids"]) for atom in atoms] == [("solution", [1])]
    assert (await pipeline.http.get("/api/v1/topics", params={"chat_id": 8})).json() == {"items": [], "next": None}
