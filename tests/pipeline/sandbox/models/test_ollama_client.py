"""The real client library finds what it expects, and raises what it raises against the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import ollama
import pydantic
import pytest

from doctor.pipeline.app.knowledge import ANSWER_SCHEMA
from doctor.pipeline.sandbox.ports import free_port


@pytest.fixture
def client(stand_in: httpx.Client, stand_in_url: str) -> Iterator[ollama.Client]:
    found = ollama.Client(stand_in_url, timeout=10, trust_env=False)
    yield found
    found._client.close()


def test_models_are_listed_shown_and_loaded(client: ollama.Client) -> None:
    assert "qwen2:7b-instruct-q4_K_M" in {model.model for model in client.list().models}
    shown = client.show("nomic-embed-text")
    assert shown.capabilities == ["embedding"]
    assert shown.modelinfo is not None
    client.generate("qwen3:8b", "hello")
    assert "qwen3:8b" in {model.model for model in client.ps().models}


def test_embeddings_come_whole(client: ollama.Client) -> None:
    answer = client.embed("nomic-embed-text", ["one", "two"])
    assert [len(vector) for vector in answer.embeddings] == [768, 768]
    assert client.embed("nomic-embed-text", "").embeddings == []
    assert len(client.embeddings("nomic-embed-text", "one").embedding) == 768


def test_a_schema_is_answered_with_json_of_its_form(client: ollama.Client) -> None:
    answer = client.chat(
        "qwen2:7b-instruct-q4_K_M",
        [{"role": "user", "content": "[1] the queue fails\n[2] fixed the queue"}],
        format=ANSWER_SCHEMA,
        options={"num_predict": 4000},
    )
    assert answer.message.content is not None
    assert json.loads(answer.message.content)["topics"][0]["message_ids"] == [1, 2]


def test_streams_can_be_read_piece_by_piece(client: ollama.Client) -> None:
    pieces = list(client.chat("qwen3:8b", [{"role": "user", "content": "hello"}], stream=True))
    assert pieces[-1].done
    assert len(pieces) > 1
    assert [step.status for step in client.pull("all-minilm", stream=True)][-1] == "success"


def test_errors_are_those_of_the_real_server(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match=r"model 'llama3\.2:3b' not found") as missing:
        client.chat("llama3.2:3b", [{"role": "user", "content": "x"}])
    assert missing.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="file does not exist") as in_stream:
        list(client.pull("no-such-model", stream=True))
    assert in_stream.value.status_code == -1


def test_a_base_url_that_ends_in_v1_gets_the_plain_404(stand_in_url: str, stand_in: httpx.Client) -> None:
    wrong = ollama.Client(f"{stand_in_url}/v1", timeout=10, trust_env=False)
    with pytest.raises(ollama.ResponseError, match="404 page not found"):
        wrong.embed("nomic-embed-text", "x")
    wrong._client.close()


def test_a_portal_in_between_is_no_json_and_an_openai_list_is_no_list_of_ollamas(stand_in_url: str, client, stand_in):
    stand_in.put("/_stand_in/behaviour", json={"rules": [{"garbage": "html"}]}).raise_for_status()
    with pytest.raises(json.JSONDecodeError):
        client.list()
    stand_in.delete("/_stand_in/behaviour")
    with pytest.raises(pydantic.ValidationError, match="models"):
        client._request(ollama.ListResponse, "GET", "/vllm/v1/models")


def test_nobody_at_the_port_and_no_such_host_are_one_error_and_a_slow_answer_another(client, stand_in):
    for host in (f"http://127.0.0.1:{free_port()}", "http://nosuch.invalid"):
        elsewhere = ollama.Client(host, timeout=5, trust_env=False)
        with pytest.raises(ConnectionError, match="Failed to connect to Ollama"):
            elsewhere.list()
        with pytest.raises(httpx.ConnectError, match=r"\[Errno"):
            list(elsewhere.generate("qwen3:8b", "x", stream=True))
        elsewhere._client.close()
    stand_in.put("/_stand_in/behaviour", json={"rules": [{"delay_seconds": 5}]}).raise_for_status()
    client._client.timeout = 0.2
    with pytest.raises(httpx.ReadTimeout):
        client.list()
