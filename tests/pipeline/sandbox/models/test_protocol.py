"""Routes, bodies and errors are Ollama's, seen through plain HTTP."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest

from doctor.pipeline.sandbox.models.__main__ import main


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def test_it_says_everywhere_what_it_is(stand_in: httpx.Client) -> None:
    assert stand_in.get("/").text == "Ollama is running"
    assert stand_in.get("/api/version").json() == {"version": "0.0.0-stand-in"}
    answer = stand_in.get("/api/tags")
    assert answer.headers["server"] == "ollama-stand-in/0.0.0"
    assert {model["details"]["family"] for model in answer.json()["models"]} == {"stand-in"}
    assert "stand-in" in stand_in.post("/api/generate", json={"model": "qwen3:8b", "prompt": "x", "stream": False}).text


def test_a_wrong_path_is_plain_text_and_a_missing_model_is_json(stand_in: httpx.Client) -> None:
    path = stand_in.post("/v1/api/embed", json={"model": "nomic-embed-text", "input": "x"})
    assert (path.status_code, path.text) == (404, "404 page not found")
    assert path.headers["content-type"].startswith("text/plain")
    model = stand_in.post("/api/embed", json={"model": "none", "input": "x"})
    assert (model.status_code, model.json()) == (404, {"error": "model 'none' not found"})
    method = stand_in.get("/api/chat")
    assert (method.status_code, method.text) == (405, "405 method not allowed")


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/chat", {"model": "llama3.2:3b", "messages": []}, 404, "model 'llama3.2:3b' not found"),
        ("/api/show", {"model": "x"}, 404, "model 'x' not found"),
        ("/api/embeddings", {"model": "x", "prompt": "y"}, 404, 'model "x" not found, try pulling it first'),
        ("/api/chat", {"messages": []}, 400, "model is required"),
        ("/api/chat", {"model": "nomic-embed-text"}, 400, '"nomic-embed-text" does not support chat'),
        ("/api/generate", {"model": "nomic-embed-text"}, 400, '"nomic-embed-text" does not support generate'),
        (
            "/api/chat",
            {"model": "qwen2:7b-instruct-q4_K_M", "think": True},
            400,
            '"qwen2:7b-instruct-q4_K_M" does not support thinking',
        ),
        ("/api/embed", {"model": "nomic-embed-text", "input": [1]}, 400, "invalid input type"),
        ("/api/pull", {"model": "a b"}, 400, "invalid model name"),
        (
            "/api/embed",
            {"model": "nomic-embed-text", "input": "word " * 4000, "truncate": False},
            400,
            "the input length exceeds the context length",
        ),
    ],
)
def test_refusals_have_the_words_of_the_original(
    stand_in: httpx.Client, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    answer = stand_in.post(path, json=body)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_a_missing_or_broken_body_is_refused(stand_in: httpx.Client) -> None:
    assert stand_in.post("/api/chat").json() == {"error": "missing request body"}
    for body in (b"{", b"[]", b'{"model": 1}', b"\xff"):
        assert stand_in.post("/api/chat", content=body).status_code == 400


def test_a_foreign_host_header_gets_403_without_a_body(stand_in: httpx.Client) -> None:
    for host in ("ollama:11434", "example.com"):
        answer = stand_in.get("/api/tags", headers={"Host": host})
        assert (answer.status_code, answer.content) == (403, b"")
    for host in ("localhost", "host.docker.internal:11434", "10.0.0.7", "[::1]:1"):
        assert stand_in.get("/api/tags", headers={"Host": host}).status_code == 200


def test_show_tells_dimensions_and_capabilities_without_running_the_model(stand_in: httpx.Client) -> None:
    shown = stand_in.post("/api/show", json={"model": "Nomic-Embed-Text"}).json()
    architecture = shown["model_info"]["general.architecture"]
    assert shown["model_info"][f"{architecture}.embedding_length"] == 768
    assert shown["capabilities"] == ["embedding"]
    assert "completion" in stand_in.post("/api/show", json={"name": "qwen3:8b"}).json()["capabilities"]


def test_an_empty_text_gets_no_vector_and_a_list_with_one_gets_one(stand_in: httpx.Client) -> None:
    def embed(value: object) -> list[list[float]]:
        vectors: list[list[float]] = stand_in.post(
            "/api/embed", json={"model": "nomic-embed-text", "input": value}
        ).json()["embeddings"]
        return vectors

    assert embed("") == []
    assert embed(None) == []
    assert [len(vector) for vector in embed([""])] == [768]
    assert [len(vector) for vector in embed(["a", "b"])] == [768, 768]
    assert math.isclose(math.hypot(*embed("some words")[0]), 1.0, abs_tol=1e-4)


def test_the_old_embeddings_route_does_not_normalise(stand_in: httpx.Client) -> None:
    def embed(prompt: str) -> list[float]:
        vector: list[float] = stand_in.post(
            "/api/embeddings", json={"model": "nomic-embed-text", "prompt": prompt}
        ).json()["embedding"]
        return vector

    assert math.hypot(*embed("several words that have a length")) > 1.5
    assert embed("") == []


def test_each_model_has_its_own_dimensions(stand_in: httpx.Client) -> None:
    for name, dimensions in (("qwen3:8b", 4096), ("nomic-embed-text", 768)):
        answer = stand_in.post("/api/embed", json={"model": name, "input": "x"}).json()
        assert len(answer["embeddings"][0]) == dimensions
    cut = stand_in.post("/api/embed", json={"model": "nomic-embed-text", "input": "x y", "dimensions": 99})
    assert len(cut.json()["embeddings"][0]) == 99
    same = stand_in.post("/api/embed", json={"model": "nomic-embed-text", "input": "x y", "dimensions": 9999})
    assert len(same.json()["embeddings"][0]) == 768


def test_a_stream_comes_in_lines_and_is_the_same_text(stand_in: httpx.Client) -> None:
    body = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "tell me about queues"}]}
    streamed = stand_in.post("/api/chat", json=body)
    assert streamed.headers["content-type"] == "application/x-ndjson"
    pieces = lines(streamed)
    assert [piece["done"] for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1]["done_reason"] == "stop"
    whole = stand_in.post("/api/chat", json={**body, "stream": False}).json()
    assert "".join(piece["message"]["content"] for piece in pieces) == whole["message"]["content"]
    assert "queue" in whole["message"]["content"]


def test_a_request_without_messages_only_loads_the_model(stand_in: httpx.Client) -> None:
    answer = stand_in.post("/api/chat", json={"model": "deepseek-r1:7b", "options": {"num_ctx": 8192}}).json()
    assert (answer["done"], answer["done_reason"]) == (True, "load")
    loaded = {model["name"]: model["context_length"] for model in stand_in.get("/api/ps").json()["models"]}
    assert loaded["deepseek-r1:7b"] == 8192
    unloaded = stand_in.post("/api/generate", json={"model": "deepseek-r1:7b", "keep_alive": 0}).json()
    assert unloaded["done_reason"] == "unload"
    assert "deepseek-r1:7b" not in {model["name"] for model in stand_in.get("/api/ps").json()["models"]}


def test_a_known_model_is_pulled_with_progress_and_can_be_deleted(stand_in: httpx.Client) -> None:
    progress = lines(stand_in.post("/api/pull", json={"model": "llama3.2:3b"}))
    assert progress[0] == {"status": "pulling manifest"}
    assert progress[-1] == {"status": "success"}
    completed = [line["completed"] for line in progress if "completed" in line]
    assert completed == sorted(completed)
    assert completed[-1] == progress[1]["total"]
    assert "llama3.2:3b" in {model["name"] for model in stand_in.get("/api/tags").json()["models"]}
    assert stand_in.request("DELETE", "/api/delete", json={"model": "llama3.2:3b"}).status_code == 200
    assert stand_in.request("DELETE", "/api/delete", json={"model": "llama3.2:3b"}).status_code == 404


def test_an_unknown_model_fails_inside_the_stream_with_status_200(stand_in: httpx.Client) -> None:
    answer = stand_in.post("/api/pull", json={"model": "no-such-model"})
    assert answer.status_code == 200
    assert lines(answer)[-1] == {"error": "pull model manifest: file does not exist"}
    assert stand_in.post("/api/pull", json={"model": "no-such-model", "stream": False}).status_code == 500


def test_a_model_that_nobody_knows_cannot_be_served(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "1", "--model", "no-such-model"]) == 2
    assert "knows no model 'no-such-model'" in capsys.readouterr().err
