"""Ollama's protocol over real sockets: which 404 it is, what a model can do, and every way of not answering."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from doctor.model import Endpoint
from doctor.resources.model_server import (
    InstalledModel,
    ModelError,
    ModelNotFound,
    ModelServer,
    ModelServerError,
    ModelServerUnreachable,
    WrongPath,
)
from doctor.resources.models import Models
from doctor.resources.ollama import OllamaServer, normalise_host
from doctor.resources.unreachable import Reason

DEADLINE = 0.6


@pytest.fixture
async def server(ollama_url: str) -> AsyncIterator[OllamaServer]:
    opened = OllamaServer(ollama_url, origin=".env:3")
    yield opened
    await opened.close()


@pytest.fixture
async def behaviour(ollama_url: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Make the stand-in misbehave; it behaves again after the test."""
    async with httpx.AsyncClient(base_url=ollama_url, trust_env=False) as client:

        async def misbehave(**rule: Any) -> None:
            (await client.put("/_stand_in/behaviour", json={"rules": [rule]})).raise_for_status()

        yield misbehave
        await client.delete("/_stand_in/behaviour")


def _answers(status: int, body: Any, content_type: str = "application/json") -> Callable[[Any, Any], Awaitable[None]]:
    """Talk as a server that gives the same answer to everything."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def talk(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + data)

    return talk


async def _unreachable(url: str) -> ModelServerUnreachable:
    started = time.monotonic()
    models = Models(url, origin="test", timeout=DEADLINE)
    assert models.default is not None
    with pytest.raises(ModelServerUnreachable) as caught:
        await models.default.version()
    assert time.monotonic() - started < DEADLINE + 1
    await models.close()
    return caught.value


@pytest.mark.parametrize(
    "host, url",
    [
        (None, "http://127.0.0.1:11434"),
        ("", "http://127.0.0.1:11434"),
        ("ollama", "http://ollama:11434"),
        (":56789", "http://127.0.0.1:56789"),
        ("http://ollama", "http://ollama:80"),
        ("https://example.com", "https://example.com:443"),
        ("example.com:56789/path/", "http://example.com:56789/path"),
        ("http://h:11434/v1", "http://h:11434/v1"),
        ("0.0.0.0", "http://0.0.0.0:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("HTTP://User:secret@Host:1", "http://host:1"),
    ],
)
def test_a_host_is_read_as_ollamas_own_client_reads_it(host: str | None, url: str):
    assert normalise_host(host) == url


async def test_version_and_models_are_listed(server: OllamaServer, ollama_url: str):
    assert await server.version()
    assert server.server_version == await server.version()
    assert server.endpoint == Endpoint("ollama", ollama_url, ".env:3")
    assert server.is_loopback
    models = {model.name: model for model in await server.list()}
    assert list(models) == sorted(models)
    chat = models["qwen2:7b-instruct-q4_K_M"]
    assert (chat.parameter_size, chat.quantization, chat.remote) == ("7.6B", "Q4_K_M", False)
    assert chat.family
    assert "completion" in chat.capabilities
    assert models["nomic-embed-text:latest"].capabilities == {"embedding"}


async def test_a_model_is_described_without_running_it(server: OllamaServer):
    description = await server.describe("nomic-embed-text")
    assert (description.embedding_length, description.context_length) == (768, 2048)
    assert description.capabilities == {"embedding"}
    assert description.parameter_size == "137M"


async def test_texts_become_vectors_of_the_described_length(server: OllamaServer):
    vectors = await server.embed("nomic-embed-text", ["one", ""])
    assert [len(vector) for vector in vectors] == [768, 768]
    assert await server.embed("nomic-embed-text", []) == []


async def test_a_model_answers_with_text(server: OllamaServer):
    answer = await server.generate("qwen2:7b-instruct-q4_K_M", "Say one word.")
    assert isinstance(answer.text, str)
    assert answer.finish == "stop"
    loaded = {model.name: model.context_length for model in await server.loaded()}
    assert loaded["qwen2:7b-instruct-q4_K_M"] == 4096


async def test_a_model_that_is_not_there_is_named(server: OllamaServer):
    for question in (server.describe("llama9:1b"), server.generate("llama9:1b", "x"), server.embed("llama9:1b", ["x"])):
        with pytest.raises(ModelNotFound) as caught:
            await question
        assert caught.value.model == "llama9:1b"
        assert caught.value.status == 404
        assert "llama9:1b" in caught.value.body


async def test_a_base_url_with_a_stale_path_is_told_from_a_missing_model(ollama_url: str):
    models = Models(f"{ollama_url}/hf", origin="test")
    assert models.default is not None
    for question in (models.default.version(), models.default.describe("qwen3:8b")):
        with pytest.raises(WrongPath, match="base URL is wrong") as caught:
            await question
        assert caught.value.answer.content_type.startswith("text/plain")
        assert caught.value.body == "404 page not found"
    await models.close()


async def test_a_model_that_cannot_do_what_is_asked_is_refused_in_the_servers_words(server: OllamaServer):
    with pytest.raises(ModelServerError, match="does not support") as caught:
        await server.generate("nomic-embed-text", "x")
    assert caught.value.status == 400


async def test_a_pull_reports_its_progress_and_the_model_is_there(server: OllamaServer):
    lines: list[str] = []
    await server.pull("all-minilm", lines.append)
    assert lines[0] == "pulling manifest"
    assert lines[-1] == "success"
    assert any("100 % of" in line for line in lines)
    assert "all-minilm:latest" in {model.name for model in await server.list()}


async def test_a_pull_of_what_no_registry_has_is_not_found(server: OllamaServer):
    with pytest.raises(ModelNotFound):
        await server.pull("nosuch-model", lambda _: None)


@pytest.mark.parametrize("status, words", [(403, "host names"), (500, "stopped"), (503, "busy")])
async def test_trouble_keeps_status_and_body(server: OllamaServer, behaviour: Any, status: int, words: str):
    await behaviour(paths=["/api/tags"], status=status)
    with pytest.raises(ModelServerError, match=words) as caught:
        await server.list()
    assert caught.value.status == status


async def test_a_slow_answer_costs_no_more_than_the_deadline(ollama_url: str, behaviour: Any):
    await behaviour(paths=["/api/version"], delay_seconds=5)
    assert (await _unreachable(ollama_url)).reason is Reason.TIMEOUT


async def test_a_body_that_ends_too_early_is_a_closed_connection_or_no_json(server: OllamaServer, behaviour: Any):
    await behaviour(paths=["/api/tags"], truncate="body")
    with pytest.raises((WrongPath, ModelServerUnreachable)):
        await server.list()


async def test_a_dead_port_an_unknown_host_and_a_silent_one_are_told_apart(dead_port: int, silent_port: int):
    refused = await _unreachable(f"http://127.0.0.1:{dead_port}")
    assert refused.reason is Reason.REFUSED
    assert refused.resource == "models"
    assert (await _unreachable(f"localhost:{dead_port}")).reason is Reason.REFUSED
    assert (await _unreachable("http://nosuch.invalid:11434")).reason is Reason.UNKNOWN_HOST
    assert (await _unreachable(f"127.0.0.1:{silent_port}")).reason is Reason.TIMEOUT


async def test_https_towards_a_plain_server_and_another_protocol_are_told_apart(
    ollama_url: str, neighbour: Callable[[Any], Awaitable[int]]
):
    async def mail(reader: Any, writer: Any) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n\r\n")

    async def hang_up(reader: Any, writer: Any) -> None:
        await reader.readline()

    assert (await _unreachable(ollama_url.replace("http:", "https:"))).reason is Reason.TLS
    assert (await _unreachable(f"127.0.0.1:{await neighbour(mail)}")).reason is Reason.WRONG_PROTOCOL
    assert (await _unreachable(f"127.0.0.1:{await neighbour(hang_up)}")).reason is Reason.CLOSED


@pytest.mark.parametrize("url", ["ftp://h", "http://h:99999", "http://h:port"])
async def test_an_address_that_cannot_be_read_is_invalid(url: str):
    assert (await _unreachable(url)).reason is Reason.INVALID_ADDRESS


@pytest.mark.parametrize(
    "status, body, content_type",
    [
        (404, b"<html>Not Found</html>", "text/html"),
        (404, {"detail": "Not Found"}, "application/json"),
        (405, b"405 method not allowed", "text/plain"),
        (200, b"<html>Welcome</html>", "text/html"),
        (200, {"object": "list", "data": []}, "application/json"),
        (200, [1], "application/json"),
        (200, b"[" * 100_000, "application/json"),
    ],
)
async def test_every_other_server_is_a_wrong_path(
    neighbour: Callable[[Any], Awaitable[int]], status: int, body: Any, content_type: str
):
    port = await neighbour(_answers(status, body, content_type))
    models = Models(f"127.0.0.1:{port}", origin="test")
    assert models.default is not None
    with pytest.raises(WrongPath) as caught:
        await models.default.list()
    assert caught.value.status == status
    assert len(str(caught.value)) < 900
    await models.close()


async def test_secrets_in_an_answer_are_redacted(neighbour: Callable[[Any], Awaitable[int]]):
    port = await neighbour(_answers(500, {"error": "upstream said Authorization: Bearer hunter2hunter2"}))
    models = Models(f"127.0.0.1:{port}", origin="test")
    assert models.default is not None
    with pytest.raises(ModelServerError) as caught:
        await models.default.version()
    assert "hunter2" not in str(caught.value) + caught.value.body
    await models.close()


async def test_an_old_server_that_names_no_capabilities_has_them_guessed(neighbour: Callable[[Any], Awaitable[int]]):
    listed = {"models": [{"name": "mxbai-embed-large:latest", "details": {"family": "bert"}}, {"name": "a:b"}, "junk"]}
    port = await neighbour(_answers(200, listed))
    models = Models(f"127.0.0.1:{port}", origin="test")
    assert models.default is not None
    found = await models.default.list()
    assert found == (
        InstalledModel("a:b", capabilities=frozenset({"completion"})),
        InstalledModel("mxbai-embed-large:latest", "bert", capabilities=frozenset({"embedding"})),
    )
    await models.close()


@pytest.mark.parametrize("vectors", [[], [[1.0]], [[1.0], ["x"]], [[1.0], None]])
async def test_vectors_that_do_not_fit_the_texts_are_an_error(neighbour: Callable[[Any], Awaitable[int]], vectors: Any):
    port = await neighbour(_answers(200, {"embeddings": vectors}))
    models = Models(f"127.0.0.1:{port}", origin="test")
    assert models.default is not None
    with pytest.raises(ModelServerError):
        await models.default.embed("m", ["one", "two"])
    await models.close()


async def test_a_download_that_ends_without_success_is_an_error(neighbour: Callable[[Any], Awaitable[int]]):
    lines = b'{"status":"pulling manifest"}\n{"status":"pulling abc","total":1000000000,"completed":500000000}\n'
    port = await neighbour(_answers(200, lines, "application/x-ndjson"))
    models, seen = Models(f"127.0.0.1:{port}", origin="test"), list[str]()
    assert models.default is not None
    with pytest.raises(ModelServerError, match="ended at"):
        await models.default.pull("m", seen.append)
    assert seen == ["pulling manifest", "pulling abc 50 % of 1.0 GB"]
    await models.close()


async def test_spellings_of_one_address_share_a_client_and_none_is_no_server():
    models = Models("localhost", origin=".env:3")
    assert models.ollama("http://LOCALHOST:11434/") is models.default
    assert models.ollama("http://localhost") is not models.default
    assert models.endpoint == Endpoint("ollama", "http://localhost:11434", ".env:3")
    assert len(models.servers) == 2
    assert models.is_loopback
    assert Models(None).default is None
    assert Models("  ").endpoint is None
    await models.close()


def test_the_interface_of_all_model_servers_is_kept():
    server: ModelServer = OllamaServer("localhost", origin="test")
    assert issubclass(WrongPath, ModelError)
    assert server.endpoint.kind == "ollama"
