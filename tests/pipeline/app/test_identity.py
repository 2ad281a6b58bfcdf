"""Session tokens are verified against one issuer, one address of keys and one algorithm; what fails lets nobody in."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest

from doctor.pipeline.app import identity
from doctor.pipeline.app.publishable_key import issuer_of
from doctor.pipeline.app.settings import SettingsError
from doctor.pipeline.app.signing_keys import (
    COOL_DOWN_SECONDS,
    LIFESPAN_SECONDS,
    KeysUnavailableError,
    SigningKeys,
    UnknownKeyError,
)
from doctor.pipeline.sandbox.keys.identity import publishable_key
from tests.key_stand_in import KeyStandIn

ME = "/api/v1/me"


@pytest.fixture
def _instance(keys: KeyStandIn, settings: Callable[..., None]) -> Iterator[None]:
    """The application takes tokens of the stand-in's instance, and has no keys in its memory."""
    identity._keys_at.cache_clear()
    settings(clerk_publishable_key=keys.publishable_key, api_token="for-programs")
    yield
    identity._keys_at.cache_clear()


async def ask(pipeline: Any, token: str | None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await pipeline.http.get(ME, headers=headers)


@pytest.mark.usefixtures("_instance")
async def test_a_valid_token_is_its_user_and_ten_cost_one_request(pipeline: Any, keys: KeyStandIn) -> None:
    token = keys.mint()
    answers = await asyncio.gather(*(ask(pipeline, token) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json() == {"user": "user_stand_in", "session": "sess_stand_in"}
    assert keys.hits() == 1


async def test_without_configuration_nobody_is_asked_for_a_token(pipeline: Any) -> None:
    assert (await ask(pipeline, None)).json() == {"user": None, "session": None}


@pytest.mark.usefixtures("_instance")
async def test_a_program_may_still_use_the_token_of_programs(pipeline: Any, keys: KeyStandIn) -> None:
    assert (await ask(pipeline, "for-programs")).json() == {"user": None, "session": None}
    assert (await ask(pipeline, None)).status_code == 401
    assert keys.hits() == 0


@pytest.mark.usefixtures("_instance")
@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"age": 90}, "ExpiredSignatureError"),
        ({"age": -90}, "ImmatureSignatureError"),
        ({"claims": {"iss": "https://clerk.example.com"}}, "InvalidIssuerError"),
        ({"claims": {"aud": "convex"}}, "InvalidAudienceError"),
        ({"claims": {"sub": None}}, "MissingRequiredClaimError"),
        ({"claims": {"exp": None}}, "MissingRequiredClaimError"),
        ({"headers": {"kid": "ins_B"}}, "UnknownKeyError: no published key has the name 'ins_B'"),
        ({"headers": {"kid": None}}, "InvalidAlgorithmError"),
        ({"signer": "stranger"}, "InvalidSignatureError"),
        ({"signer": "nobody"}, "InvalidAlgorithmError"),
        ({"signer": "public-key-as-secret"}, "InvalidAlgorithmError"),
    ],
)
async def test_what_is_wrong_with_the_token_is_the_callers_fault(
    pipeline: Any, keys: KeyStandIn, log_lines: list[str], wanted: dict[str, Any], said: str
) -> None:
    token = keys.mint(**wanted)
    answer = await ask(pipeline, token)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    begin = "AUTHENTICATION ERROR: Token verification failed for endpoint: GET /api/v1/me: "
    assert [line for line in log_lines if line.startswith(begin) and said in line]
    assert not [line for line in log_lines for part in token.split(".") if part and part in line]


@pytest.mark.usefixtures("_instance")
@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "sk_test_planted", "..", "e30.e30."])
async def test_what_is_no_token_is_refused_and_asks_nobody(pipeline: Any, keys: KeyStandIn, token: str) -> None:
    assert (await ask(pipeline, token)).status_code == 401
    assert keys.hits() == 0


@pytest.mark.usefixtures("_instance")
async def test_an_address_of_keys_in_the_token_is_not_asked(pipeline: Any, keys: KeyStandIn) -> None:
    forged = keys.mint(signer="stranger", headers={"jku": f"{keys.url}/moved/jwks.json"})
    assert (await ask(pipeline, forged)).status_code == 401
    elsewhere = keys.mint(signer="stranger", claims={"iss": f"{keys.url}/moved"})
    assert (await ask(pipeline, elsewhere)).status_code == 401
    assert keys.hits("/moved/jwks.json") == 0


@pytest.mark.usefixtures("_instance")
@pytest.mark.parametrize(
    "mode",
    [
        *("not-found", "unauthorized", "error", "redirect", "redirect-circle", "empty", "no-keys", "list"),
        *("unusable", "html", "truncated", "cut-short", "huge", "invalid-utf8", "header-bomb"),
    ],
)
async def test_what_is_wrong_with_the_keys_is_our_fault_and_lets_nobody_in(
    pipeline: Any, keys: KeyStandIn, log_lines: list[str], mode: Any
) -> None:
    keys.behave(mode)
    answer = await ask(pipeline, keys.mint())
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "no token can be verified at the moment; try again later",
    )
    assert any(line.startswith("GET /api/v1/me: signing keys: ") for line in log_lines)


@pytest.mark.usefixtures("_instance")
async def test_a_token_for_another_origin_is_refused_where_origins_are_listed(
    pipeline: Any, keys: KeyStandIn, settings: Callable[..., None]
) -> None:
    settings(clerk_publishable_key=keys.publishable_key, clerk_authorized_parties="https://a.example.com, http://b")
    assert (await ask(pipeline, keys.mint())).status_code == 401
    assert (await ask(pipeline, keys.mint(claims={"azp": None}))).status_code == 401
    assert (await ask(pipeline, keys.mint(claims={"azp": "http://b"}))).status_code == 200


@pytest.mark.parametrize("mode", ["slow", "drip"])
async def test_keys_that_do_not_come_cost_their_time_once_for_all_who_wait(keys: KeyStandIn, mode: Any) -> None:
    keys.behave(mode, delay_seconds=30)
    source = SigningKeys(keys.jwks_url, timeout=0.3)
    found = await asyncio.gather(*(source.find("x") for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in found} == {KeysUnavailableError}
    assert keys.hits() == 1


async def test_keys_are_asked_for_again_after_a_rotation_but_not_for_every_invented_name(keys: KeyStandIn) -> None:
    now = [0.0]
    source = SigningKeys(keys.jwks_url, clock=lambda: now[0])
    first = keys.instance.current.kid
    await source.find(first)
    second = keys.instance.rotate().kid
    for _ in range(10):
        with pytest.raises(UnknownKeyError):
            await source.find(second)
    assert keys.hits() == 1
    now[0] += COOL_DOWN_SECONDS
    await source.find(second)
    assert keys.hits() == 2
    with pytest.raises(UnknownKeyError):  # it was withdrawn
        await source.find(first)


async def test_keys_that_are_too_old_are_used_no_longer_even_when_there_are_no_others(keys: KeyStandIn) -> None:
    now = [0.0]
    source = SigningKeys(keys.jwks_url, clock=lambda: now[0])
    kid = keys.instance.current.kid
    await source.find(kid)
    keys.behave("error")
    now[0] += LIFESPAN_SECONDS - 1
    await source.find(kid)
    now[0] += 1
    with pytest.raises(KeysUnavailableError, match="answered 500"):
        await source.find(kid)
    keys.behave()
    now[0] += 2
    assert (await source.find(kid)).key_id == kid


def test_a_publishable_key_is_decoded_not_split() -> None:
    assert issuer_of("pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk") == "https://foo-bar-13.clerk.accounts.dev"
    assert issuer_of("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k") == "https://clerk.example.com"
    assert issuer_of(publishable_key("127.0.0.1:8000")) == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clerk_publishable_key", "pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZX"),
        ("clerk_publishable_key", "sk_test_planted"),
        ("clerk_publishable_key", "pk_live_" + base64.b64encode(b"a.example.com/x$").decode().rstrip("=")),
        ("clerk_issuer", "http://clerk.example.com"),
        ("clerk_jwks_url", "http://clerk.example.com/.well-known/jwks.json"),
        ("clerk_jwks_url", "file:///etc/passwd"),
    ],
)
def test_settings_with_which_no_token_could_be_trusted_are_refused(
    settings: Callable[..., None], name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=name.upper()) as raised:
        settings(**{name: value})
    assert "planted" not in str(raised.value)


def test_what_a_forger_changes_is_seen_by_the_real_library(keys: KeyStandIn) -> None:
    head, body, signature = keys.mint().split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "somebody_else"}
    changed = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    key = jwt.PyJWK.from_dict(keys.instance.current.public_jwk())
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(f"{head}.{changed}.{signature}", key, algorithms=["RS256"])
