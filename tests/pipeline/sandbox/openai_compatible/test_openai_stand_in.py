"""OpenAI and vLLM refuse in different words, and each of them with a path that does not exist in others again."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from doctor.pipeline.sandbox.models.application import OPENAI, VLLM
from doctor.pipeline.sandbox.openai_compatible.application import KEY

ASK = {"model": "nosuch", "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture
def openai(stand_in_url: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=f"{stand_in_url}{OPENAI}/v1/", headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def vllm(stand_in_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{stand_in_url}{VLLM}/v1/", trust_env=False) as client:
        yield client


def test_models_are_listed_and_vllm_says_how_long_their_context_is(openai: httpx.Client, vllm: httpx.Client):
    assert "gpt-4o-mini" in {model["id"] for model in openai.get("models").json()["data"]}
    assert vllm.get("models").json()["data"][0]["max_model_len"] == 8_192


def test_a_missing_model_is_named_in_two_shapes(openai: httpx.Client, vllm: httpx.Client):
    answer = openai.post("chat/completions", json=ASK)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    answer = vllm.post("chat/completions", json=ASK)
    assert (answer.status_code, answer.json()["object"], answer.json()["code"]) == (404, "error", 404)


def test_an_unknown_path_names_no_model(openai: httpx.Client, vllm: httpx.Client):
    assert "Invalid URL" in openai.get("/openai/models").json()["error"]["message"]
    assert vllm.get("/vllm/v1//models").json() == {"detail": "Not Found"}


def test_a_wrong_key_and_none_are_refused(openai: httpx.Client):
    wrong = openai.get("models", headers={"Authorization": "Bearer sk-wrong-and-long-enough-000001"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    assert openai.get("models", headers={"Authorization": ""}).status_code == 401


def test_a_request_that_is_too_long_is_refused_with_both_numbers(vllm: httpx.Client):
    answer = vllm.post("chat/completions", json={**ASK, "model": "qwen2.5-7b", "max_tokens": 9_000})
    assert answer.status_code == 400
    assert "maximum context length is 8192 tokens" in answer.json()["message"]


def test_embeddings_have_the_length_of_the_model_or_the_one_asked_for(openai: httpx.Client):
    ask = {"model": "text-embedding-3-small", "input": ["one", "two"]}
    assert [len(each["embedding"]) for each in openai.post("embeddings", json=ask).json()["data"]] == [1536, 1536]
    shorter = openai.post("embeddings", json={**ask, "dimensions": 256}).json()["data"]
    assert [len(each["embedding"]) for each in shorter] == [256, 256]
