"""A service goes away and comes back: nothing that was accepted is lost, and everybody is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from doctor.pipeline.app.broker import broker
from doctor.pipeline.app.errors import FailureNotRecordedError
from doctor.pipeline.app.tasks.scoring import score_message_task

UPDATE = {"update_id": 1, "message": {"message_id": 1, "chat": {"id": 7}, "date": 1_760_000_000, "text": "hello"}}


async def until(http: httpx.AsyncClient, path: str, status: int, seconds: float = 60) -> httpx.Response:
    """Ask until the answer has this status."""
    end = time.monotonic() + seconds
    while True:
        answer = await http.get(path)
        if answer.status_code == status:
            return answer
        assert time.monotonic() < end, answer.text
        await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="session")
async def http(running_application: str, pipeline: Any) -> Any:
    """Ask the application; the clean state comes first."""
    async with httpx.AsyncClient(base_url=running_application, timeout=15) as client:
        yield client


async def test_everything_up_is_healthy(http: httpx.AsyncClient) -> None:
    for path in ("/health", "/api/v1/health"):
        answer = await http.get(path)
        assert answer.status_code == 200
        health = answer.json()
        assert health["status"] == "ok"
        assert {health[part]["state"] for part in ("database", "nats", "models")} == {"up"}


async def test_without_the_model_server_messages_are_still_taken_in(
    http: httpx.AsyncClient, settings: Callable[..., None]
) -> None:
    settings(ollama_host="http://127.0.0.1:9")
    health = (await http.get("/health")).json()
    assert (health["status"], health["models"]["state"]) == ("degraded", "down")
    assert "cannot be reached" in health["models"]["detail"]
    assert (await http.post("/webhook/telegram", json=UPDATE)).status_code == 200


async def test_without_the_queue_telegram_is_asked_to_send_again(
    http: httpx.AsyncClient, pipeline: Any, nats: Any
) -> None:
    await pipeline.agent()
    await pipeline.add_messages(2, chat_id=7)
    await pipeline.add_messages(2, chat_id=8)
    nats.stop()
    try:
        answer = await http.post("/webhook/telegram", json=UPDATE)
        assert answer.status_code == 503
        assert "the task queue cannot be reached" in answer.json()["detail"]
        assert answer.headers["Retry-After"]
        health = (await until(http, "/health", 503)).json()
        assert (health["status"], health["nats"]["state"], health["database"]["state"]) == ("down", "down", "up")
        answer = await http.post("/api/v1/knowledge/extract", json={"period": "last_24h"})
        assert answer.status_code == 503
        assert await pipeline.value("SELECT count(*) FROM messages WHERE extraction_id IS NOT NULL") == 0
        assert await pipeline.value("SELECT count(*) FROM failed_tasks") == 1
    finally:
        nats.start()
    await until(http, "/health", 200)
    assert (await http.post("/webhook/telegram", json=UPDATE)).status_code == 200


async def test_without_the_database_telegram_is_asked_to_send_again(
    http: httpx.AsyncClient, pipeline: Any, postgres: Any
) -> None:
    await score_message_task.kiq(4711)
    postgres.stop()
    try:
        answer = await http.post("/webhook/telegram", json=UPDATE)
        assert answer.status_code == 503
        assert "the database cannot be reached" in answer.json()["detail"]
        health = (await until(http, "/health", 503)).json()
        assert (health["nats"]["state"], health["database"]["state"]) == ("up", "down")
        for path in ("/api/v1/providers", "/api/v1/agent_configs"):
            assert (await http.get(path)).status_code == 503
        # The task fails and its dead letter cannot be written: it stays in the queue, to be delivered again.
        with pytest.raises(FailureNotRecordedError):
            await pipeline.work(limit=1)
        assert await pipeline.queued() == 1
        assert (await broker.js.consumer_info(broker.stream_name, broker.durable)).num_ack_pending == 1
    finally:
        postgres.start()
    await until(http, "/health", 200)
    assert (await http.post("/webhook/telegram", json=UPDATE)).status_code == 200
