"""The OpenAI-compatible routes, with OpenAI's shapes."""

from __future__ import annotations

import base64
import json
import struct
import subprocess
import sys

import httpx

from doctor.pipeline.app.knowledge import ANSWER_SCHEMA
from doctor.pipeline.sandbox.models.application import build_application

CHAT = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "[1] the queue fails\n[2] the queue again"}]}


def test_models_are_listed_with_their_owner(stand_in: httpx.Client) -> None:
    listed = stand_in.get("/v1/models").json()
    assert {"id": "qwen3:8b", "object": "model", "owned_by": "library"}.items() <= next(
        model for model in listed["data"] if model["id"] == "qwen3:8b"
    ).items()
    assert stand_in.get("/v1/models/qwen3:8b").json()["id"] == "qwen3:8b"


async def test_a_server_without_models_lists_null() -> None:
    transport = httpx.ASGITransport(build_application([]))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/v1/models")).json() == {"object": "list", "data": None}
        assert (await client.get("/api/tags")).json() == {"models": []}


def test_completions_follow_a_schema(stand_in: httpx.Client) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": ANSWER_SCHEMA}}
    answer = stand_in.post("/v1/chat/completions", json={**CHAT, "response_format": form}).json()
    assert json.loads(answer["choices"][0]["message"]["content"])["topics"]
    assert answer["usage"]["total_tokens"] > 0
    any_object = stand_in.post("/v1/chat/completions", json={**CHAT, "response_format": {"type": "json_object"}}).json()
    assert isinstance(json.loads(any_object["choices"][0]["message"]["content"]), dict)
    cut = stand_in.post("/v1/chat/completions", json={**CHAT, "max_tokens": 3}).json()
    assert cut["choices"][0]["finish_reason"] == "length"


def test_a_stream_is_made_of_events_and_ends_with_done(stand_in: httpx.Client) -> None:
    events = stand_in.post("/v1/chat/completions", json={**CHAT, "stream": True}).text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    first = json.loads(events[0].removeprefix("data: "))
    assert first["object"] == "chat.completion.chunk"


def test_a_blank_text_is_embedded_here(stand_in: httpx.Client) -> None:
    answer = stand_in.post("/v1/embeddings", json={"model": "nomic-embed-text", "input": ""}).json()
    assert len(answer["data"][0]["embedding"]) == 768
    for nothing in (None, []):
        refused = stand_in.post("/v1/embeddings", json={"model": "nomic-embed-text", "input": nothing})
        assert refused.status_code == 400
        assert refused.json()["error"] == {
            "message": "invalid input",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }


def test_vectors_can_come_as_base64(stand_in: httpx.Client) -> None:
    body = {"model": "nomic-embed-text", "input": "words", "dimensions": 64}
    plain = stand_in.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    packed = stand_in.post("/v1/embeddings", json={**body, "encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert struct.unpack("<64f", base64.b64decode(packed)) == struct.unpack("<64f", struct.pack("<64f", *plain))


def test_errors_have_the_shape_of_openai(stand_in: httpx.Client) -> None:
    answer = stand_in.post("/v1/chat/completions", json={**CHAT, "model": "none"})
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "not_found_error"
    assert answer.json()["error"]["message"] == "model 'none' not found"


def test_the_start_line_of_the_log_says_what_it_is() -> None:
    command = [sys.executable, "-m", "doctor.pipeline.sandbox.models", "--host", "256.0.0.1", "--port", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.stderr.startswith("Ollama stand-in 0.0.0-stand-in: no model runs here")
