"""The Hub over real sockets: what is missing, private, gated or withdrawn, and whose token it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from doctor.model import Secret
from doctor.pipeline.sandbox.hugging_face import world
from doctor.pipeline.sandbox.models.application import HUGGING_FACE
from doctor.resources.hugging_face import Access, HuggingFace, is_repository, without_provider
from doctor.resources.model_server import KeyRefused, ModelNotFound, ModelServer, NotAllowed, Served
from doctor.resources.models import Models

CHAT, GATED = "openai/gpt-oss-120b", "meta-llama/Llama-3.1-8B-Instruct"
BAD_TOKEN = "hf_nobodysToken000000000000000000"

Opener = Callable[[str | None], HuggingFace]


@pytest.fixture
async def open_as(ollama_url: str) -> AsyncIterator[Opener]:
    models = Models(None, timeout=2.0)
    url = f"{ollama_url}{HUGGING_FACE}"

    def make(token: str | None) -> HuggingFace:
        secret = None if token is None else Secret(token)
        return models.hugging_face(f"{url}/v1", hub=url, token=secret, hub_token=secret)

    yield make
    await models.close()


async def test_the_hub_knows_who_runs_a_model(open_as: Opener):
    found = await open_as(world.GOOD_TOKEN).hub.look(CHAT)
    assert set(found.served) == {Served("groq", True), Served("together", True)}
    assert not found.gated
    staging = await open_as(None).hub.look("mistralai/Mistral-7B-Instruct-v0.3")
    assert staging.served == (Served("novita", False),)


@pytest.mark.parametrize(
    "token, model, access",
    [
        (world.GOOD_TOKEN, CHAT, Access.OPEN),
        (None, CHAT, Access.OPEN),
        (world.GOOD_TOKEN, GATED, Access.GATED),
        (None, GATED, Access.GATED),
        (world.LICENSED_TOKEN, GATED, Access.OPEN),
        (world.GOOD_TOKEN, "stand-in/private-model", Access.ABSENT),
        (None, "stand-in/private-model", Access.HIDDEN),
        (world.LICENSED_TOKEN, "stand-in/private-model", Access.OPEN),
        (world.GOOD_TOKEN, "nosuch/model", Access.ABSENT),
        (None, "nosuch/model", Access.HIDDEN),
        (world.GOOD_TOKEN, "stand-in/withdrawn", Access.DISABLED),
        (world.GOOD_TOKEN, f"{CHAT}:groq", Access.MALFORMED),
        (world.GOOD_TOKEN, "a/b/c", Access.MALFORMED),
    ],
)
async def test_access_is_told_apart(open_as: Opener, token: str | None, model: str, access: Access):
    assert await open_as(token).hub.access(model) is access


async def test_a_bad_token_is_its_own_error_whatever_is_asked(open_as: Opener):
    hub = open_as(BAD_TOKEN).hub
    for question in (hub.whoami(), hub.look(CHAT), hub.access(CHAT), hub.look("nosuch/model")):
        with pytest.raises(KeyRefused) as caught:
            await question
        assert BAD_TOKEN not in str(caught.value)
    assert await open_as(world.GOOD_TOKEN).hub.whoami() == "stand-in"


async def test_it_is_a_model_server_that_chats_by_the_router_and_embeds_beside_it(open_as: Opener):
    server: ModelServer = open_as(world.GOOD_TOKEN)
    assert CHAT in {model.name for model in await server.list()}
    assert (await server.generate(f"{CHAT}:groq", "Say one word.")).finish == "stop"
    embedder = "sentence-transformers/all-MiniLM-L6-v2"
    assert [len(vector) for vector in await server.embed(embedder, ["one", "two"])] == [384, 384]
    assert (await server.describe(embedder)).capabilities == {"embedding"}
    assert (await server.describe(f"{CHAT}:groq")).capabilities == {"completion"}
    with pytest.raises(ModelNotFound):
        await server.describe("nosuch/model")
    with pytest.raises(NotAllowed):
        await open_as(world.READ_ONLY_TOKEN).generate(CHAT, "x")


def test_names_are_read_as_the_hubs_own_client_reads_them():
    assert without_provider("openai/gpt-oss-120b:groq") == ("openai/gpt-oss-120b", "groq")
    assert without_provider("gpt2") == ("gpt2", "")
    good = ("gpt2", "Qwen/Qwen2.5-7B-Instruct", "a_b/c.d-e")
    assert all(map(is_repository, good))
    assert not any(map(is_repository, ("a/b/c", "a/b:c", "", "a b", "../x", "a--b")))
