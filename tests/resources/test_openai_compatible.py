"""OpenAI's protocol over real sockets: which refusal it is, in the words of OpenAI, of vLLM and of a router."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, get_args

import httpx
import pytest

from doctor.model import Secret
from doctor.pipeline.sandbox.hugging_face.world import GOOD_TOKEN, GROQ_ONLY_TOKEN, READ_ONLY_TOKEN
from doctor.pipeline.sandbox.models.application import HUGGING_FACE, OPENAI, VLLM
from doctor.pipeline.sandbox.models.garbage import Garbage
from doctor.pipeline.sandbox.openai_compatible.application import KEY
from doctor.resources.hugging_face import Hub
from doctor.resources.model_server import (
    Answer,
    EndpointGone,
    KeyRefused,
    ModelError,
    ModelNotFound,
    ModelServerError,
    ModelServerUnreachable,
    NotAllowed,
    NotServed,
    WrongPath,
)
from doctor.resources.ollama import OllamaServer
from doctor.resources.openai_compatible import OpenAIServer, base_url, refusal
from doctor.resources.unreachable import Reason

CHAT, EMBEDDER = "gpt-4o-mini", "text-embedding-3-small"


@asynccontextmanager
async def opened(url: str, key: str | None = None, timeout: float = 2.0) -> AsyncIterator[OpenAIServer]:
    server = OpenAIServer(url, origin=".env:4", key=None if key is None else Secret(key), timeout=timeout)
    yield server
    await server.close()


@pytest.fixture
async def misbehave(ollama_url: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    async with httpx.AsyncClient(base_url=ollama_url, trust_env=False) as client:

        async def put(**rule: Any) -> None:
            (await client.put("/_stand_in/behaviour", json={"rules": [rule]})).raise_for_status()

        yield put
        await client.delete("/_stand_in/behaviour")


async def test_models_are_listed_described_and_run(ollama_url: str):
    async with opened(f"{ollama_url}{OPENAI}/v1/", KEY) as server:
        assert [model.name for model in await server.list()] == ["gpt-4.1", CHAT, EMBEDDER]
        assert "embedding" in (await server.describe(EMBEDDER)).capabilities
        assert [len(vector) for vector in await server.embed(EMBEDDER, ["one", "two"])] == [1536, 1536]
        assert (await server.generate(CHAT, "Say one word.")).finish == "stop"
        assert (await server.knows_its_paths()).status == 404


async def test_vllm_says_how_long_its_context_is(ollama_url: str):
    async with opened(f"{ollama_url}{VLLM}/v1") as server:
        assert (await server.describe("qwen2.5-7b")).context_length == 8_192
        with pytest.raises(ModelServerError, match="maximum context length"):
            await server.generate("qwen2.5-7b", "x" * 40_000)


@pytest.mark.parametrize("flavour, key", [(OPENAI, KEY), (VLLM, None), ("", None)])
async def test_a_missing_model_is_told_from_a_path_that_does_not_exist(ollama_url: str, flavour: str, key: str | None):
    async with opened(f"{ollama_url}{flavour}/v1", key) as server:
        for question in (server.describe("nosuch"), server.generate("nosuch", "x"), server.embed("nosuch", ["x"])):
            with pytest.raises(ModelNotFound, match="nosuch"):
                await question
    for stale in ("", "/v1/v1", "/hf/v1"):
        async with opened(f"{ollama_url}{flavour}{stale}", key) as server:
            for question in (server.list(), server.knows_its_paths()):
                with pytest.raises(WrongPath, match="base URL is wrong"):
                    await question


async def test_a_key_that_is_wrong_and_one_that_is_missing_are_refused_and_never_shown(ollama_url: str):
    for key in ("sk-wrong-and-long-enough-0001", None):
        async with opened(f"{ollama_url}{OPENAI}/v1", key) as server:
            with pytest.raises(KeyRefused) as caught:
                await server.list()
            assert "wrong-and-long" not in str(caught.value)
    async with opened(f"{ollama_url}{OPENAI}/v1", "sk-with-a\nline-0001") as server:
        with pytest.raises(ModelServerUnreachable) as unusable:
            await server.list()
        assert unusable.value.reason is Reason.AUTHENTICATION
        assert "line-0001" not in str(unusable.value)


@pytest.mark.parametrize(
    "token, model, error",
    [
        (GOOD_TOKEN, "TinyLlama/TinyLlama-1.1B-Chat-v1.0", NotServed),
        (GROQ_ONLY_TOKEN, "openai/gpt-oss-120b:together", NotServed),
        (GOOD_TOKEN, "nosuch/model", ModelNotFound),
        (READ_ONLY_TOKEN, "openai/gpt-oss-120b", NotAllowed),
        ("hf_nobodysToken000000000000000000", "openai/gpt-oss-120b", KeyRefused),
        (None, "openai/gpt-oss-120b", KeyRefused),
    ],
)
async def test_a_router_refuses_for_five_reasons(
    ollama_url: str, token: str | None, model: str, error: type[ModelError]
):
    async with opened(f"{ollama_url}{HUGGING_FACE}/v1", token) as server:
        with pytest.raises(error):
            await server.generate(model, "x")


async def test_a_router_lists_the_providers_of_each_model(ollama_url: str):
    async with opened(f"{ollama_url}{HUGGING_FACE}/v1") as server:
        models = {model.name: model for model in await server.list()}
    served = {each.provider: each.live for each in models["openai/gpt-oss-120b"].providers}
    assert served == {"groq": True, "together": True, "nscale": False}
    assert models["Qwen/Qwen2.5-7B-Instruct"].context_length == 32_768


@pytest.mark.parametrize(
    "status, body, error",
    [
        (404, {"detail": "Not Found"}, WrongPath),
        (404, b"<html>404</html>", WrongPath),
        (404, {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}, ModelNotFound),
        (422, {"detail": "m", "message": "model m not found"}, ModelNotFound),
        (404, {"error": "no such route"}, WrongPath),
        (410, {"error": "no longer supported"}, EndpointGone),
        (401, {"error": {"message": "no model for you"}}, KeyRefused),
        (403, {"error": {"message": "not in your region"}}, NotAllowed),
        (403, b"<html>blocked by the proxy</html>", ModelServerError),
        (429, {"error": {"code": "insufficient_quota"}}, ModelServerError),
        (402, {"error": "money"}, ModelServerError),
        (400, {"error": {"message": "The requested model 'm' is not supported by any provider"}}, NotServed),
        (400, {"error": {"message": "model m: temperature is too high"}}, ModelServerError),
        (500, {"error": {"message": "model m not found in worker"}}, ModelServerError),
    ],
)
def test_a_refusal_is_read_in_this_order_path_key_model_rest(status: int, body: Any, error: type[ModelError]):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Answer.of("http://h/v1/x", status, "text/html" if isinstance(body, bytes) else "application/json", raw)
    found = refusal(answer, body if isinstance(body, dict) else None, "m")
    assert type(found) is error


@pytest.mark.parametrize("garbage", get_args(Garbage))
@pytest.mark.parametrize("kind", ["ollama", "openai", "hub"])
async def test_garbage_costs_bounded_time_and_memory_and_is_called_what_it_is(
    ollama_url: str, misbehave: Any, kind: str, garbage: str
):
    key = Secret("sk-planted000000000000000000000001")
    sent = {"Authorization": f"Bearer {key.reveal()}"}
    server = {
        "ollama": lambda: OllamaServer(ollama_url, origin="test", timeout=1.0, headers=sent),
        "openai": lambda: OpenAIServer(f"{ollama_url}{VLLM}/v1", origin="test", timeout=1.0, key=key),
        "hub": lambda: Hub(f"{ollama_url}{HUGGING_FACE}", origin="test", timeout=1.0, token=key),
    }[kind]()
    await misbehave(garbage=garbage)
    tracemalloc.start()
    started = time.monotonic()
    try:
        found = await (server.whoami() if isinstance(server, Hub) else server.list())
    except ModelError as error:
        assert "planted" not in str(error) + repr(error)
        assert len(str(error)) < 1_500
    else:
        assert garbage == "invalid-utf8"
        assert found == ()
    assert time.monotonic() - started < 1.5
    assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    tracemalloc.stop()
    await server.close()


@pytest.mark.parametrize(
    "given, url",
    [
        (" 'https://h/v1/' ", "https://h/v1"),
        ("HTTP://User:secret@H:8000/v1?x=1#y", "http://h:8000/v1"),
        ("http://h", "http://h"),
    ],
)
def test_a_base_url_is_written_plainly(given: str, url: str):
    assert base_url(given) == url


@pytest.mark.parametrize("given", ["", "h:8000", "ftp://h", "http://", "http://h:port"])
async def test_what_is_no_url_is_an_invalid_address(given: str):
    async with opened(given) as server:
        with pytest.raises(ModelServerUnreachable) as caught:
            await server.list()
        assert caught.value.reason is Reason.INVALID_ADDRESS
