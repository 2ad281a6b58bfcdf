"""A key goes to the server that it is meant for, with TLS or on this machine, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.agents import ProviderRow
from doctor.endpoint_probe import EndpointState, probe_endpoint
from doctor.model import Secret
from doctor.model_uses import ServerFinder
from doctor.resources.address import next_hop
from doctor.resources.environment import Environment
from doctor.resources.hugging_face import HuggingFace
from doctor.resources.models import Models
from doctor.resources.openai_compatible import OpenAIServer
from doctor.resources.web_document import fetch
from tests.wire import listening, response

KEY = "sk-planted0000000000000000000001"
TOKEN = "hf_plantedToken00000000000000001"


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def test_a_server_without_tls_is_found_without_showing_it_the_key():
    async with listening(_plain_or_nothing) as wire:
        models = Models()
        report = await probe_endpoint(models, models.openai(f"https://{wire.authority}/v1", key=Secret(KEY)))
        await models.close()
    assert report.state is EndpointState.UNREACHABLE
    assert report.works_at is not None
    assert report.works_at.url == f"http://{wire.authority}/v1"
    assert any(head.startswith("GET /v1/models") for head in wire.heads)
    assert not any(KEY in head for head in wire.heads)


async def test_a_path_nearby_on_the_same_server_is_asked_with_the_key():
    def answer(head: str) -> bytes:
        return response() if head.startswith("GET /v1/models ") else response("404 Not Found", b"404", "text/plain")

    async with listening(answer) as wire:
        models = Models()
        report = await probe_endpoint(models, models.openai(f"http://{wire.authority}/v1/v1", key=Secret(KEY)))
        await models.close()
    assert report.works_at is not None
    assert any(head.startswith("GET /v1/models ") and KEY in head for head in wire.heads)


async def test_a_key_is_not_sent_in_the_clear_beyond_this_machine(no_proxy, monkeypatch: pytest.MonkeyPatch):
    """The proxy sees the request as the server would; it also knows a name that nobody here does."""
    async with listening() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.authority}")
        server = OpenAIServer("http://models.invalid:8000/v1", origin=".env:4", key=Secret(KEY))
        assert [model.name for model in await server.list()] == ["one-model"]
        await server.close()
    assert proxy.heads[0].startswith("GET http://models.invalid:8000/v1/models ")
    assert KEY not in proxy.heads[0]


async def test_a_key_does_not_follow_a_redirect_to_another_server():
    async with listening() as other:
        moved = response("307 Temporary Redirect", b"", more=f"Location: http://{other.authority}/v1/models\r\n")
        async with listening(lambda head: moved) as first:
            server = OpenAIServer(f"http://{first.authority}/v1", origin=".env:4", key=Secret(KEY))
            assert [model.name for model in await server.list()] == ["one-model"]
            await server.close()
    assert KEY in first.heads[0]
    assert KEY not in other.heads[0]


async def test_a_document_beyond_a_proxy_needs_no_name_that_is_known_here(no_proxy, monkeypatch: pytest.MonkeyPatch):
    async with listening() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.authority)
        assert (await fetch("http://keys.invalid/jwks", timeout=5)).status == 200


@pytest.mark.parametrize(
    "url, proxies, hop",
    [
        ("https://a.invalid/v1", {}, ("a.invalid", 443)),
        ("http://a.invalid:8000", {}, ("a.invalid", 8000)),
        ("https://a.invalid", {"HTTPS_PROXY": "http://proxy.invalid:3128"}, ("proxy.invalid", 3128)),
        ("https://a.invalid", {"HTTP_PROXY": "http://proxy.invalid:3128"}, ("a.invalid", 443)),
        ("http://a.invalid", {"ALL_PROXY": "socks5://proxy.invalid"}, ("proxy.invalid", 1080)),
        ("http://a.invalid", {"HTTP_PROXY": "proxy.invalid:1", "NO_PROXY": "a.invalid"}, ("a.invalid", 80)),
        ("http://127.0.0.1:1", {"HTTP_PROXY": "proxy.invalid:1"}, ("127.0.0.1", 1)),
    ],
)
def test_the_next_hop_is_the_proxy_if_one_is_meant(no_proxy, monkeypatch, url: str, proxies, hop: tuple[str, int]):
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    assert next_hop(url) == hop


def _plain_or_nothing(head: str) -> bytes:
    return response() if head.startswith("GET /v1/models ") else response("404 Not Found", b"404", "text/plain")


@pytest.mark.parametrize("hub_is_there, named", [(False, False), (False, True), (True, False)])
async def test_the_token_of_hugging_face_goes_to_its_own_hosts_or_where_the_row_says(
    tmp_path: Path, hub_is_there: bool, named: bool
):
    """``HF_ENDPOINT`` says which hosts are Hugging Face's own; elsewhere a row must name the variable."""
    async with listening() as wire:
        hub = f"http://{wire.authority}" if hub_is_there else "http://127.0.0.1:1"
        environment = Environment(tmp_path, files=[], process_environment={"HF_TOKEN": TOKEN, "HF_ENDPOINT": hub})
        row = ProviderRow(
            "t", "id", "1", "p", "huggingface", f"http://{wire.authority}/v1", True, None, "HF_TOKEN" if named else None
        )
        models = Models()
        server = ServerFinder(models, environment).of_provider(row)
        assert isinstance(server, HuggingFace)
        assert [model.name for model in await server.list()] == ["one-model"]
        await models.close()
    assert (TOKEN in wire.heads[0]) is (hub_is_there or named)


async def test_the_key_of_a_private_endpoint_is_not_shown_to_the_hub(tmp_path: Path):
    async with listening(lambda head: response(body=b'{"name": "somebody"}')) as hub:
        variables = {"HF_ENDPOINT": f"http://{hub.authority}", "OWN_KEY": KEY, "HF_TOKEN": TOKEN}
        environment = Environment(tmp_path, files=[], process_environment=variables)
        row = ProviderRow("t", "id", "1", "p", "huggingface", "http://127.0.0.1:1/v1", True, None, "OWN_KEY")
        models = Models()
        server = ServerFinder(models, environment).of_provider(row)
        assert isinstance(server, HuggingFace)
        assert await server.hub.whoami() == "somebody"
        await models.close()
    assert TOKEN in hub.heads[0]
    assert KEY not in hub.heads[0]


@pytest.mark.parametrize(
    "kind, url",
    [
        ("azure_openai", "http://127.0.0.1:1/v1"),
        ("Azure", "http://127.0.0.1:1/v1"),
        ("openai", "https://stand-in.openai.azure.com/openai"),
    ],
)
async def test_azure_is_asked_nothing_because_it_speaks_otherwise(tmp_path: Path, kind: str, url: str):
    environment = Environment(tmp_path, files=[], process_environment={"OPENAI_API_KEY": KEY})
    row = ProviderRow("t", "id", "1", "p", kind, url, True, None, "OPENAI_API_KEY")
    assert ServerFinder(Models(), environment).of_provider(row) is None
