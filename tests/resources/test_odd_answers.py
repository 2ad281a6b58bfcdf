"""JSON that is valid and not what a server says: an odd answer is an error of its module, and no crash."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from doctor.model import Secret
from doctor.resources.hugging_face import HubModel, hub_model
from doctor.resources.model_answers import number, progress_line, vectors_of
from doctor.resources.model_server import Answer, InstalledModel, ModelError, ModelServerError
from doctor.resources.models import Models
from doctor.resources.nats_greeting import NatsUnreachable, read_greeting
from doctor.resources.openai_compatible import offered
from tests.wire import listening, response, speaking

ANSWER = Answer.of("http://127.0.0.1/v1", 200, "application/json", b"")
NUMBERS = st.one_of(st.integers(), st.floats(), st.just(float("inf")), st.just(10**400))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.sampled_from(
    [
        "id", "providers", "provider", "status", "context_length", "max_model_len", "inferenceProviderMapping", "gated",
        "total", "completed",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(WORDS, ANYTHING | st.lists(st.dictionaries(WORDS, ANYTHING, max_size=4), max_size=2), max_size=6)
)
@example({"total": 10**400, "completed": 10**400})
def test_whatever_json_comes_it_is_read_or_refused(body: dict[str, object]):
    assert isinstance(offered(body), InstalledModel)
    assert isinstance(hub_model(body), HubModel)
    assert isinstance(progress_line(body), str)


@settings(max_examples=150, deadline=None)
@given(st.lists(ANYTHING, max_size=3))
def test_whatever_vectors_come_they_are_read_or_refused(value: list[object]):
    with suppress(ModelError):
        assert len(vectors_of(value, len(value), ANSWER)) == len(value)


@pytest.mark.parametrize("odd", ["1e999", "-1e999", "NaN", "1" + "0" * 400, '"7"', "true", "null"])
def test_what_is_no_number_is_none(odd: str):
    assert number(json.loads(odd)) is None


@pytest.mark.parametrize("odd", ["1" + "0" * 400, "1e999", "NaN", '"x"'])
def test_a_vector_of_what_is_no_number_is_an_error_of_the_server(odd: str):
    with pytest.raises(ModelServerError, match="not a number"):
        vectors_of(json.loads(f"[[{odd}]]"), 1, ANSWER)


@pytest.mark.parametrize("field", ['"providers": 5', '"context_length": 1e999', '"max_model_len": NaN'])
async def test_a_list_with_an_odd_entry_is_a_list(field: str):
    body = f'{{"data": [{{"id": "one-model", {field}}}]}}'.encode()
    async with listening(lambda head: response(body=body)) as wire:
        models = Models()
        listed = await models.openai(f"http://{wire.authority}/v1").list()
        await models.close()
    assert [(model.name, model.context_length, model.providers) for model in listed] == [("one-model", None, ())]


async def test_a_mapping_of_the_hub_that_is_none_names_nobody():
    async with listening(lambda head: response(body=b'{"id": "a/b", "inferenceProviderMapping": 5}')) as wire:
        models = Models()
        hub = models.hugging_face(hub=f"http://{wire.authority}", hub_token=Secret("x")).hub
        assert (await hub.look("a/b")).served == ()
        await models.close()


@pytest.mark.parametrize("odd", ["1e999", "NaN", '"many"', "[]"])
async def test_a_greeting_with_an_odd_number_is_no_greeting(odd: str):
    async with speaking(f'INFO {{"max_payload": {odd}}}\r\n'.encode()) as authority:
        with pytest.raises(NatsUnreachable, match="it said"):
            await read_greeting(f"nats://{authority}", 5)


async def test_a_hub_that_does_not_know_the_control_is_another_endpoint():
    """Signature 11: where a public model is missing, too, it is not the model."""

    def answer(head: str) -> bytes:
        if "whoami" in head:
            return response(body=b'{"name": "somebody"}')
        return response("404 Not Found", b"{}", more="X-Error-Code: RepoNotFound\r\n")

    async with listening(answer) as wire:
        models = Models()
        hub = models.hugging_face(hub=f"http://{wire.authority}", hub_token=Secret("x")).hub
        with pytest.raises(ModelServerError, match="the endpoint or the network"):
            await hub.access("some/model")
        await models.close()
