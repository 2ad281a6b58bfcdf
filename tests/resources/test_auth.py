"""Settings are found, the provider is asked once, in time and in bytes, and no secret goes where it must not."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.configuration import AuthConfiguration
from doctor.pipeline.sandbox.keys.identity import publishable_key
from doctor.resources.address import may_carry_a_secret
from doctor.resources.auth import Auth
from doctor.resources.auth_settings import AuthSettings, read_auth_settings
from doctor.resources.environment import Environment
from doctor.resources.key_set import KeyFault, KeysUnreachable, KeysUnusable
from doctor.resources.unreachable import Reason
from doctor.resources.web_document import MAX_BYTES, NoDocumentError, fetch
from tests.key_stand_in import SECRET_KEY, KeyStandIn


def settings(folder: Path, **variables: str) -> AuthSettings:
    environment = Environment(folder, files=[], process_environment=variables)
    return read_auth_settings(environment.get, AuthConfiguration())


@pytest.mark.parametrize(
    ("variables", "issuer", "keys_url"),
    [
        (
            {"CLERK_PUBLISHABLE_KEY": publishable_key("clerk.example.com", "live")},
            "https://clerk.example.com",
            "https://clerk.example.com/.well-known/jwks.json",
        ),
        (
            {"VITE_CLERK_PUBLISHABLE_KEY": publishable_key("127.0.0.1:8000")},
            "http://127.0.0.1:8000",
            "http://127.0.0.1:8000/.well-known/jwks.json",
        ),
        (
            {"CLERK_ISSUER": "https://a.example.com", "CLERK_JWKS_URL": "https://b.example.com/keys"},
            "https://a.example.com",
            "https://b.example.com/keys",
        ),
        ({"CLERK_FRONTEND_API": "clerk.example.com"}, "https://clerk.example.com", None),
        ({"AUTH0_DOMAIN": "t.eu.auth0.example.com"}, "https://t.eu.auth0.example.com/", ""),
        ({"OIDC_ISSUER": "https://id.example.com/realms/a"}, "https://id.example.com/realms/a", ""),
        ({"CLERK_SECRET_KEY": SECRET_KEY}, "", ""),
        ({"CLERK_ISSUER": "clerk.example.com"}, "clerk.example.com", "https://clerk.example.com/.well-known/jwks.json"),
        ({"JWKS_URL": "https://id.example.com/keys", "JWT_ISSUER": "us"}, "us", "https://id.example.com/keys"),
    ],
)
def test_issuer_and_address_follow_from_the_variables(
    tmp_path: Path, variables: dict[str, str], issuer: str, keys_url: str | None
) -> None:
    found = settings(tmp_path, **variables)
    assert not found.is_empty
    assert found.issuer == issuer
    assert found.keys_url == (f"{issuer}/.well-known/jwks.json" if keys_url is None else keys_url)


@pytest.mark.parametrize(
    "variables",
    [
        {"JWT_ISSUER": "my-application"},
        {"JWT_ISSUER": "https://api.example.com", "JWT_SECRET": "planted"},
        {"AUTH_ISSUER": "https://api.example.com", "JWT_PUBLIC_KEY": "/run/keys/public.pem"},
    ],
)
def test_an_application_that_signs_its_own_tokens_has_no_provider(tmp_path: Path, variables: dict[str, str]) -> None:
    assert settings(tmp_path, **variables).is_empty


def test_lists_are_read_with_commas_blanks_and_brackets(tmp_path: Path) -> None:
    found = settings(tmp_path, CLERK_AUTHORIZED_PARTIES='["https://a.example.com", "http://b"]', JWT_AUDIENCE="x y,z")
    assert found.parties == ("https://a.example.com", "http://b")
    assert found.audience == ("x", "y", "z")
    assert found.is_empty


async def test_another_issuer_is_asked_for_the_address_of_its_keys(tmp_path: Path, keys: KeyStandIn) -> None:
    auth = Auth(settings(tmp_path, OIDC_ISSUER=keys.url))
    found = await auth.keys()
    assert [key.kid for key in found.keys] == [keys.instance.current.kid]
    assert keys.hits("/.well-known/openid-configuration") == 1
    metadata = await auth.metadata()
    assert metadata is not None
    assert metadata.issuer == keys.url
    await auth.close()


async def test_many_who_ask_are_one_request(tmp_path: Path, keys: KeyStandIn) -> None:
    auth = Auth(settings(tmp_path, CLERK_PUBLISHABLE_KEY=keys.publishable_key))
    await asyncio.gather(*(auth.keys() for _ in range(20)), auth.clock_difference())
    assert keys.hits() == 1
    await auth.keys_afresh()
    assert keys.hits() == 2


async def test_a_secret_key_alone_opens_the_keys_of_the_back(tmp_path: Path, keys: KeyStandIn) -> None:
    auth = Auth(settings(tmp_path, CLERK_SECRET_KEY=SECRET_KEY, CLERK_API_URL=f"{keys.url}/v1"))
    assert (await auth.keys()).keys
    assert keys.hits("/v1/jwks") == 1
    by_hand = f"{keys.url}/v1/jwks"
    named = settings(tmp_path, CLERK_SECRET_KEY=SECRET_KEY, CLERK_API_URL=keys.url, CLERK_JWKS_URL=by_hand)
    assert (await Auth(named).keys()).keys
    refused = Auth(settings(tmp_path, CLERK_SECRET_KEY="sk_test_" + "A" * 20, CLERK_API_URL=keys.url))
    with pytest.raises(KeysUnusable) as raised:
        await refused.keys()
    assert raised.value.fault is KeyFault.DENIED


async def test_a_secret_key_is_not_sent_without_tls(tmp_path: Path) -> None:
    auth = Auth(settings(tmp_path, CLERK_SECRET_KEY=SECRET_KEY, CLERK_API_URL="http://api.example.com"))
    with pytest.raises(KeysUnreachable, match="not sent without TLS"):
        await auth.keys()


async def test_a_secret_key_is_sent_to_no_other_address(tmp_path: Path, keys: KeyStandIn, neighbour) -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(4096))

    port = await neighbour(listen)
    url = f"http://127.0.0.1:{port}/.well-known/jwks.json"
    auth = Auth(settings(tmp_path, CLERK_SECRET_KEY=SECRET_KEY, CLERK_API_URL=keys.url, CLERK_JWKS_URL=url))
    with pytest.raises(KeysUnreachable):
        await auth.keys()
    assert heard.startswith(b"GET /.well-known/jwks.json")
    assert SECRET_KEY.encode() not in heard


@pytest.mark.parametrize(("mode", "reason"), [("slow", Reason.TIMEOUT), ("drip", Reason.TIMEOUT)])
async def test_who_answers_too_late_or_without_end_costs_the_deadline_and_no_more(
    keys: KeyStandIn, mode: str, reason: Reason
) -> None:
    keys.behave(mode, delay_seconds=30)  # type: ignore[arg-type]
    with pytest.raises(NoDocumentError) as raised:
        await fetch(keys.jwks_url, timeout=1)
    assert raised.value.reason is reason
    assert ("began to answer" in raised.value.detail) is (mode == "drip")


async def test_a_server_that_says_nothing_costs_the_deadline(silent_port: int) -> None:
    with pytest.raises(NoDocumentError) as raised:
        await fetch(f"http://127.0.0.1:{silent_port}/", timeout=0.2)
    assert raised.value.reason is Reason.TIMEOUT


async def test_of_two_hundred_megabytes_one_is_read(keys: KeyStandIn) -> None:
    keys.behave("huge")
    tracemalloc.start()
    try:
        document = await fetch(keys.jwks_url, timeout=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(document.body), document.is_whole) == (MAX_BYTES, False)
    assert peak < 20 * MAX_BYTES  # the stand-in's blocks of a megabyte are in this process too


async def test_a_compressed_answer_is_not_unpacked(neighbour: Callable) -> None:
    async def bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read(4096)
        assert b"accept-encoding: identity" in asked.lower()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")

    document = await fetch(f"http://127.0.0.1:{await neighbour(bomb)}/", timeout=2)
    assert document.body == b"\x1f\x8b\x08\x00"


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://x/y", "http://", "http://[::", "not an address"])
async def test_what_is_no_address_of_http_is_not_asked(url: str) -> None:
    with pytest.raises(NoDocumentError) as raised:
        await fetch(url, timeout=1)
    assert raised.value.reason is Reason.INVALID_ADDRESS


async def test_tls_on_a_port_without_it_is_said_to_be_that(keys: KeyStandIn) -> None:
    with pytest.raises(NoDocumentError) as raised:
        await fetch(keys.jwks_url.replace("http:", "https:"), timeout=5)
    assert raised.value.reason is Reason.TLS


@pytest.mark.parametrize(
    ("offset", "is_skewed", "sign"), [(0, False, 0), (3, False, 0), (-3, False, 0), (60, True, -1), (-60, True, 1)]
)
async def test_the_difference_of_the_clocks_counts_when_it_is_certain(
    tmp_path: Path, keys: KeyStandIn, offset: float, is_skewed: bool, sign: int
) -> None:
    keys.behave(clock_offset_seconds=offset)
    difference = await Auth(settings(tmp_path, CLERK_PUBLISHABLE_KEY=keys.publishable_key)).clock_difference()
    assert difference is not None
    assert difference.is_skewed is is_skewed
    if sign:
        assert 57 < difference.seconds * sign < 61


async def test_the_age_that_a_cache_adds_is_no_difference_of_clocks(neighbour: Callable) -> None:
    async def cached(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nAge: 90\r\nContent-Length: 0\r\n\r\n")

    document = await fetch(f"http://127.0.0.1:{await neighbour(cached)}/", timeout=2, clock=lambda: 1_767_225_690.0)
    assert document.date == document.asked == 1_767_225_690.0


NAMES = (
    *("CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY", "CLERK_ISSUER", "CLERK_JWKS_URL", "CLERK_API_URL", "CLERK_JWT_KEY"),
    *("CLERK_AUTHORIZED_PARTIES", "CLERK_AUDIENCE", "AUTH0_DOMAIN", "ENVIRONMENT"),
)
VALUES = st.text(max_size=40) | st.sampled_from(
    ["http://[", "https://[::1", "//", "a:b@c", "pk_test_", "\x00", "http://x:99999"]
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_whatever_the_variables_hold_it_can_be_read_and_nothing_secret_leaves_for_a_broken_address(
    variables: dict[str, str],
) -> None:
    found = settings(Path(), **variables)
    auth = Auth(found)
    assert isinstance(auth.endpoint.address, str)
    for value in (found.issuer, found.keys_url, found.backend_keys_url, *found.parties, *found.audience):
        assert isinstance(value, str)
        assert may_carry_a_secret(value) <= value.lower().startswith(("https:", "http:", "localhost:"))
    for variable in (found.issuer_variable, found.keys_variable):
        assert variable is None or isinstance(found.undecoded(variable), str)
