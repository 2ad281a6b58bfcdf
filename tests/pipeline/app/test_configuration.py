"""Providers and agents through the API, and who may use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

PROVIDERS = "/api/v1/providers"
AGENTS = "/api/v1/agent_configs"


async def test_a_provider_is_created_changed_and_switched(pipeline: Any) -> None:
    created = await pipeline.http.post(PROVIDERS, json={"name": "local", "type": "ollama"})
    assert created.status_code == 201
    one = f"{PROVIDERS}/{created.json()['id']}"
    assert created.json()["validation_status"] == "unknown"
    changed = await pipeline.http.patch(one, json={"base_url": pipeline.models.url, "api_key_env": "SOME_API_KEY"})
    assert changed.json()["api_key_env"] == "SOME_API_KEY"
    assert (await pipeline.http.patch(one, json={"api_key_env": None})).json()["api_key_env"] is None
    assert (await pipeline.http.patch(one, json={})).json()["base_url"].startswith(pipeline.models.url)
    assert (await pipeline.http.post(f"{one}/deactivate")).json()["is_active"] is False
    assert (await pipeline.http.post(f"{one}/activate")).json()["is_active"] is True
    assert [row["name"] for row in (await pipeline.http.get(PROVIDERS)).json()["items"]] == ["local"]


async def test_a_provider_is_validated_by_asking_it(pipeline: Any) -> None:
    for name, kind, url, status in (
        ("one", "ollama", pipeline.models.url, "connected"),
        ("two", "openai", pipeline.models.url + "/v1", "connected"),
        ("three", "ollama", "http://127.0.0.1:9", "error"),
        ("four", "openai", None, "error"),
    ):
        body = {"name": name, "type": kind, "base_url": url}
        created = (await pipeline.http.post(PROVIDERS, json=body)).json()
        answer = (await pipeline.http.post(f"{PROVIDERS}/{created['id']}/validate")).json()
        assert answer["provider"]["validation_status"] == status
        assert answer["models"] == (sorted(pipeline.models.names) if status == "connected" else [])
        assert (answer["error"] is None) == (status == "connected")


async def test_an_agent_is_created_changed_and_switched(pipeline: Any) -> None:
    await pipeline.agent()
    (agent,) = (await pipeline.http.get(AGENTS)).json()["items"]
    assert (agent["temperature"], agent["max_tokens"], agent["is_active"]) == (0.3, 4000, True)
    one = f"{AGENTS}/{agent['id']}"
    changed = (await pipeline.http.patch(one, json={"model_name": "spare", "fallback_model": "chat"})).json()
    assert changed == agent | {"model_name": "spare", "fallback_model": "chat"}
    assert (await pipeline.http.patch(one, json={"fallback_model": None})).json()["fallback_model"] is None
    assert (await pipeline.http.post(f"{one}/deactivate")).json()["is_active"] is False
    assert (await pipeline.http.post(f"{one}/activate")).json()["is_active"] is True


async def test_conflicts_and_unknown_rows_are_named(pipeline: Any) -> None:
    await pipeline.agent()
    body = {"name": "local", "type": "ollama"}
    assert (await pipeline.http.post(PROVIDERS, json=body)).json() == {"detail": "that name is taken"}
    agent = {"name": "new", "provider_id": str(uuid4()), "model_name": "m", "system_prompt": "p"}
    assert (await pipeline.http.post(AGENTS, json=agent)).status_code == 409
    for path in (f"{PROVIDERS}/{uuid4()}", f"{AGENTS}/{uuid4()}"):
        assert (await pipeline.http.patch(path, json={"is_active": True})).status_code == 404
        assert (await pipeline.http.post(f"{path}/activate")).status_code == 404
    assert (await pipeline.http.post(f"{PROVIDERS}/{uuid4()}/validate")).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PROVIDERS, {"name": "", "type": "ollama"}),
        (PROVIDERS, {"name": "a\x00b", "type": "ollama"}),
        (PROVIDERS, {"name": "a", "type": "other"}),
        (PROVIDERS, {"name": "a", "type": "ollama", "base_url": "file:///etc/passwd"}),
        # Any other variable could be sent to the provider's address.
        (PROVIDERS, {"name": "a", "type": "openai", "api_key_env": "DATABASE_URL"}),
        (PROVIDERS, {"name": "a", "type": "openai", "api_key": "sk-123"}),
        (AGENTS, {"name": "a", "provider_id": "x", "model_name": "m", "system_prompt": "p"}),
        (AGENTS, {"name": "a", "provider_id": str(uuid4()), "model_name": "m", "system_prompt": " \x00"}),
        (AGENTS, {"name": "a", "provider_id": str(uuid4()), "model_name": "m", "system_prompt": "p", "temperature": 9}),
    ],
)
async def test_rows_that_make_no_sense_are_refused(pipeline: Any, path: str, body: dict[str, Any]) -> None:
    answer = await pipeline.http.post(path, json=body)
    assert answer.status_code == 422, answer.text
    assert "sk-123" not in answer.text


async def test_a_token_is_asked_for_when_it_is_set(pipeline: Any, settings: Callable[..., None]) -> None:
    settings(api_token="open-sesame")
    assert (await pipeline.http.get(PROVIDERS)).status_code == 401
    for wrong in ("Bearer x", "open-sesame", "Basic open-sesame"):
        assert (await pipeline.http.get(PROVIDERS, headers={"Authorization": wrong})).status_code == 401
    right = {"Authorization": "Bearer open-sesame"}
    assert (await pipeline.http.get(PROVIDERS, headers=right)).status_code == 200
    assert (await pipeline.http.get("/health")).status_code == 200


async def test_extraction_can_be_asked_for_by_id_and_by_period(pipeline: Any) -> None:
    extract = "/api/v1/knowledge/extract"
    assert (await pipeline.http.post(extract, json={"message_ids": [1]})).status_code == 409
    await pipeline.agent()
    mine = await pipeline.add_messages(3, chat_id=7)
    others = await pipeline.add_messages(2, chat_id=8, scored=False)
    old = await pipeline.add_messages(1, chat_id=8, age_hours=50)
    answer = await pipeline.http.post(extract, json={"message_ids": [*mine[:2], others[0], 4711]})
    assert answer.status_code == 202
    assert [batch["message_ids"] for batch in answer.json()["extractions"]] == [mine[:2], others[:1]]
    assert answer.json()["skipped"] == [4711]
    answer = await pipeline.http.post(extract, json={"period": "last_24h"})
    assert [batch["message_ids"] for batch in answer.json()["extractions"]] == [mine[2:], others[1:]]
    period = {"period": "custom", "start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00+02:00"}
    answer = await pipeline.http.post(extract, json=period)
    assert [batch["message_ids"] for batch in answer.json()["extractions"]] == [old]
    assert (await pipeline.work()).count("extract_knowledge_from_messages_task") == 5


async def test_an_extraction_that_is_asked_for_takes_over_what_nobody_worked_on(pipeline: Any) -> None:
    await pipeline.agent()
    ids = await pipeline.add_messages(3)
    body = {"message_ids": ids}
    await pipeline.http.post("/api/v1/knowledge/extract", json=body)
    assert (await pipeline.http.post("/api/v1/knowledge/extract", json=body)).json()["skipped"] == ids
    await pipeline.database.execute("UPDATE extractions SET lease_expires_at = now() - interval '1 second'")
    assert (await pipeline.http.post("/api/v1/knowledge/extract", json=body)).json()["skipped"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message_ids": []},
        {"message_ids": list(range(1, 102))},
        {"message_ids": [0]},
        {"message_ids": [1], "period": "last_7d"},
        {"period": "yesterday"},
        {"period": "custom"},
        {"period": "custom", "start": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00"},
        {"period": "custom", "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
        {"period": "last_7d", "start": "2026-01-02T00:00:00Z"},
    ],
)
async def test_an_extraction_that_makes_no_sense_is_refused(pipeline: Any, body: dict[str, Any]) -> None:
    assert (await pipeline.http.post("/api/v1/knowledge/extract", json=body)).status_code == 422


async def test_another_method_is_told_which_ones_there_are(pipeline: Any) -> None:
    answer = await pipeline.http.put(PROVIDERS, json={})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert answer.json() == {"detail": "PUT is not a method of this path"}
