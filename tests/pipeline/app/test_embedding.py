"""Which rows get a vector, and from whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from doctor.pipeline.app.embeddings import Entity, embed_rows
from doctor.pipeline.app.language_models import ModelMissingError, ModelUnavailableError
from doctor.pipeline.app.schema import apply_schema
from doctor.pipeline.app.settings import get_settings
from doctor.pipeline.app.tasks.embedding import embed_atoms_batch_task, embed_messages_batch_task
from doctor.pipeline.app.vectors import VectorError, ZeroVectorError

from .conftest import eventually

WITHOUT = "SELECT count(*) FROM messages WHERE embedding IS NULL"


async def add_atoms(pipeline: Any, *texts: tuple[str, str]) -> list[int]:
    """Put atoms into the table and return their ids."""
    return [
        await pipeline.value("INSERT INTO atoms (type, title, content) VALUES ('insight', %s, %s) RETURNING id", *text)
        for text in texts
    ]


async def test_an_atom_is_embedded_as_title_blank_line_content(pipeline: Any) -> None:
    ids = await add_atoms(pipeline, ("Slow search", "It takes a second"), ("", " \n"))
    await embed_atoms_batch_task(ids)
    assert pipeline.models.asked("/api/embed") == [
        {"model": "nomic-embed-text", "input": ["Slow search\n\nIt takes a second"]}
    ]
    assert await pipeline.value("SELECT count(embedding) FROM atoms") == 1
    assert await pipeline.value("SELECT model_used FROM task_executions") == "nomic-embed-text"


async def test_nothing_is_embedded_twice(pipeline: Any) -> None:
    ids = await pipeline.add_messages(5)
    await embed_messages_batch_task(ids)
    vectors = await pipeline.rows("SELECT embedding::text FROM messages ORDER BY id")
    await embed_messages_batch_task([*ids, 4711])
    assert len(pipeline.models.asked("/api/embed")) == 1
    assert await pipeline.rows("SELECT embedding::text FROM messages ORDER BY id") == vectors


async def test_a_large_batch_goes_out_in_several_requests(pipeline: Any, settings: Callable[..., None]) -> None:
    settings(embedding_request_size=4)
    assert await embed_rows(Entity.MESSAGES, await pipeline.add_messages(10)) == 10
    assert [len(body["input"]) for body in pipeline.models.asked("/api/embed")] == [4, 4, 2]


@pytest.mark.parametrize(
    ("vector", "error"),
    [([0.0] * 64, ZeroVectorError), ([1.0] * 63, VectorError), ([float("nan")] * 64, ModelUnavailableError)],
)
async def test_an_unusable_vector_is_never_written(pipeline: Any, vector: list[float], error: type[Exception]) -> None:
    ids = await pipeline.add_messages(2)
    pipeline.models.vector = vector
    with pytest.raises((error, VectorError)):
        await embed_messages_batch_task(ids)
    assert await pipeline.value(WITHOUT) == 2
    assert await pipeline.value("SELECT arguments FROM failed_tasks") == {"ids": ids}


async def test_a_text_that_was_edited_meanwhile_keeps_no_stale_vector(pipeline: Any) -> None:
    ids = await pipeline.add_messages(1)
    pipeline.models.delay = 0.3
    running = asyncio.create_task(embed_rows(Entity.MESSAGES, ids))
    await eventually(lambda: bool(pipeline.models.asked("/api/embed")), "the request")
    await pipeline.database.execute("UPDATE messages SET content = 'Something else'")
    assert await running == 0
    assert await pipeline.value(WITHOUT) == 1


async def test_a_missing_embedding_model_is_not_tried_again_and_a_dead_server_is(
    pipeline: Any, settings: Callable[..., None]
) -> None:
    ids = await pipeline.add_messages(1)
    settings(ollama_embedding_model="absent")
    with pytest.raises(ModelMissingError):
        await embed_messages_batch_task(ids)
    settings(ollama_embedding_model="nomic-embed-text", ollama_host="http://127.0.0.1:9")
    with pytest.raises(ModelUnavailableError):
        await embed_messages_batch_task(ids)
    assert await pipeline.value("SELECT attempts FROM failed_tasks") == 1 + 3
    settings(ollama_host=pipeline.models.url)
    await embed_messages_batch_task(ids)
    assert await pipeline.value("SELECT count(*) FROM failed_tasks") == 0


async def test_rows_are_embedded_on_request(pipeline: Any) -> None:
    ids = await pipeline.add_messages(3)
    one = await pipeline.http.post(f"/api/v1/embeddings/messages/{ids[0]}")
    assert (one.status_code, one.json()) == (202, {"queued": 1, "unknown": []})
    batch = await pipeline.http.post("/api/v1/embeddings/messages/batch", json={"ids": [*ids[1:], 4711]})
    assert (batch.status_code, batch.json()) == (202, {"queued": 2, "unknown": [4711]})
    await pipeline.work()
    assert await pipeline.value(WITHOUT) == 0


async def test_the_backfill_queues_what_has_no_vector_in_batches(pipeline: Any) -> None:
    await pipeline.add_messages(25)
    await add_atoms(pipeline, ("a", "b"), (" ", " "))
    body = {"entity_types": ["messages", "atoms", "messages"], "batch_size": 10}
    answer = await pipeline.http.post("/api/v1/embeddings/backfill", json=body)
    assert (answer.status_code, answer.json()) == (202, {"queued": {"messages": 25, "atoms": 1}, "total": 26})
    assert await pipeline.work() == ["embed_messages_batch_task"] * 3 + ["embed_atoms_batch_task"]
    assert await pipeline.value(WITHOUT) == 0
    assert (await pipeline.http.post("/api/v1/embeddings/backfill", json={})).json()["total"] == 0


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("messages/4711", None, 404),
        ("topics/1", None, 409),
        ("messages/0", None, 422),
        (f"messages/{2**63}", None, 422),
        ("messages/batch", {"ids": []}, 422),
        ("messages/batch", {"ids": [2**64]}, 422),
        ("topics/batch", {"ids": [1]}, 409),
        ("backfill", {"entity_types": ["messages", "topics"]}, 409),
        ("backfill", {"entity_types": []}, 422),
        ("backfill", {"batch_size": 0}, 422),
        ("backfill", {"batchsize": 5}, 422),
    ],
)
async def test_requests_that_make_no_sense_are_refused(
    pipeline: Any, path: str, body: dict[str, Any] | None, status: int
) -> None:
    assert (await pipeline.http.post(f"/api/v1/embeddings/{path}", json=body)).status_code == status


async def test_every_row_says_which_model_its_vector_is_from(pipeline: Any, settings: Callable[..., None]) -> None:
    messages, atoms = await pipeline.add_messages(2), await add_atoms(pipeline, ("Slow search", "It takes a second"))
    await embed_rows(Entity.MESSAGES, messages[:1])
    settings(ollama_embedding_model="chat:latest")
    await embed_rows(Entity.MESSAGES, messages)
    await embed_rows(Entity.ATOMS, atoms)
    found = await pipeline.rows("SELECT embedding_model FROM messages ORDER BY id")
    assert [row["embedding_model"] for row in found] == ["nomic-embed-text", "chat"]
    assert await pipeline.value("SELECT embedding_model FROM atoms") == "chat"


async def test_tables_from_before_are_completed(pipeline: Any) -> None:
    (message,) = await pipeline.add_messages(1)
    await pipeline.database.execute("ALTER TABLE messages DROP COLUMN embedding_model")
    await apply_schema(get_settings())
    assert await pipeline.value("SELECT embedding_model FROM messages WHERE id = %s", message) is None
    assert await embed_rows(Entity.MESSAGES, [message]) == 1
