"""The issuer does not fit, or the signature does not: a setting, a static key, or a forged token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doctor.model import Status
from tests.checks.auth_target import Examined, examined
from tests.key_stand_in import KeyStandIn

PUBLISHED = "signing keys out of reach"
SKEW = "clock skew"
ISSUER = "misspelt issuer"
FORGED = "forged or damaged token"
UNKNOWN_KEY = "unknown signing key"
EXPIRED = "expired token"


@pytest.mark.symptom("24a")
@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        ("{url}/", "a slash at the end is too many"),
        ("{bare}", "https:// in front is missing"),
    ],
)
def test_an_issuer_that_is_written_differently_is_a_setting_not_a_token(
    ask, keys: KeyStandIn, issuer: str, words: str, told
) -> None:
    written = issuer.format(url=keys.url, bare=keys.host)
    seen = ask(keys.mint(), CLERK_ISSUER=written, CLERK_JWKS_URL=keys.jwks_url)
    told(seen.run.before)
    assert seen.roots() == ["AUT009"]
    assert words in seen.finding("AUT009").symptom
    assert seen.effects() == {"AUT011"}


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("{secure}", id="https for http", marks=pytest.mark.variation("24a", "AUT011")),
        pytest.param("{url}/v1", id="another path"),
    ],
)
def test_an_issuer_at_an_address_where_nobody_says_its_name_is_told_by_the_token(
    ask, keys: KeyStandIn, issuer: str, told
) -> None:
    written = issuer.format(url=keys.url, secure=keys.url.replace("http:", "https:"))
    seen = ask(keys.mint(), CLERK_ISSUER=written, CLERK_JWKS_URL=keys.jwks_url)
    told(seen.run.before)
    assert seen.subjects() == ["issuer"]
    assert "though the signature is right" in seen.finding("AUT011").symptom


def test_an_issuer_of_another_host_is_a_contradiction_of_the_settings(ask, keys: KeyStandIn) -> None:
    keys.behave(metadata_issuer="https://clerk.example.com")
    seen = ask(keys.mint())
    assert seen.roots() == ["AUT009"]
    assert "another host" in seen.finding("AUT009").symptom


@pytest.mark.symptom("24b")
def test_a_static_key_of_another_instance_explains_a_signature_that_the_published_key_finds_right(
    ask, keys: KeyStandIn, told
) -> None:
    seen = ask(keys.mint(), CLERK_JWT_KEY=keys.instance.stranger.public_pem().replace("\n", "\\n"))
    told(seen.run.before)
    assert seen.roots() == ["AUT008"]
    assert seen.subjects() == ["static key"]
    assert seen.effects() == {"AUT011"}


@pytest.mark.symptom("24c")
@pytest.mark.variation("24b", "AUT011")
def test_a_forged_token_is_wrong_with_the_published_key_and_the_static_key_is_ruled_out(
    ask, keys: KeyStandIn, told
) -> None:
    seen = ask(keys.mint(signer="stranger"), CLERK_JWT_KEY=keys.instance.current.public_pem())
    told(seen.run.before)
    assert set(seen.subjects()) == {"signature", "static key"}
    assert "static key of another instance" in seen.ruled_out()
    assert FORGED not in seen.ruled_out()


def test_a_static_key_that_is_none_is_said_to_be_none(ask, keys: KeyStandIn) -> None:
    assert "is no public key" in ask(CLERK_JWT_KEY="-----BEGIN PUBLIC KEY-----").finding("AUT008").symptom


def test_a_static_key_alone_needs_nobody(tmp_path: Path, keys: KeyStandIn) -> None:
    pem = keys.instance.current.public_pem()
    good = examined(tmp_path, {"CLERK_JWT_KEY": pem}, keys.mint())
    assert good.roots() == []
    assert good.result("AUT005").status is Status.SKIP
    bad = examined(tmp_path, {"CLERK_JWT_KEY": pem}, keys.mint(signer="stranger"))
    assert bad.subjects() == ["static key"]
    assert sum(keys.server.requests.values()) == 0


def test_without_the_library_the_signature_is_said_to_be_unchecked(
    ask, keys: KeyStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doctor.resources.signatures.jwt", _Absent())
    result = ask(keys.mint(signer="stranger")).result("AUT011")
    assert result.status is Status.PASS
    assert any("pip install 'pipeline-doctor[auth]'" in observation.text for observation in result.observations)
    assert FORGED not in {observation.rules_out for observation in result.observations}


class _Absent:
    """A library that is not installed, imported late."""

    def __getattr__(self, name: str) -> Any:
        raise ModuleNotFoundError("No module named 'jwt'")


@pytest.fixture
def ask_oidc(keys: KeyStandIn, tmp_path: Path):
    """Examine a target that takes tokens of an OIDC issuer, whose metadata say where the keys are."""

    def run(token: str | None = None, **settings: str) -> Examined:
        return examined(tmp_path, {"OIDC_ISSUER": keys.url, "OIDC_AUDIENCE": "api", **settings}, token)

    return run


def test_a_token_of_another_kind_of_issuer_is_played_through_too(ask_oidc, keys: KeyStandIn) -> None:
    seen = ask_oidc(keys.mint(claims={"aud": "api", "azp": None}))
    assert seen.roots() == []
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED, "token for another audience"}
    assert keys.hits("/.well-known/openid-configuration") == 1


def test_the_slash_that_one_kind_of_issuer_wants_is_found_missing(ask_oidc, keys: KeyStandIn) -> None:
    keys.behave(metadata_issuer=f"{keys.url}/")
    seen = ask_oidc(keys.mint(claims={"aud": "api", "iss": f"{keys.url}/"}))
    assert seen.roots() == ["AUT009"]
    assert "a slash at the end is missing" in seen.finding("AUT009").symptom
    assert seen.subjects() == ["issuer"]
    assert seen.effects() == {"AUT011"}
