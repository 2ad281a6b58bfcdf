"""A key that nobody published, or that another instance did: token, keys and settings tell which."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.model import Severity
from doctor.pipeline.sandbox.keys.identity import publishable_key
from tests.key_stand_in import SECRET_KEY, KeyStandIn, serving

PUBLISHED = "signing keys out of reach"
SKEW = "clock skew"
ISSUER = "misspelt issuer"
FORGED = "forged or damaged token"
UNKNOWN_KEY = "unknown signing key"
EXPIRED = "expired token"
EARLY = "token from the future"


def test_a_good_token_passes_every_check_and_rules_every_cause_out(ask, keys: KeyStandIn) -> None:
    seen = ask(keys.mint(), CLERK_AUTHORIZED_PARTIES="http://localhost:3000", CLERK_SECRET_KEY="")
    assert seen.roots() == []
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED, EARLY}
    assert "token of an origin that is not allowed" in seen.ruled_out()


@pytest.mark.symptom("23a")
def test_a_token_of_another_instance_is_told_by_key_and_issuer_together(ask, keys: KeyStandIn, told) -> None:
    seen = ask(keys.mint(headers={"kid": "ins_other"}, claims={"iss": "https://other.example.com"}))
    told(seen.run.before)
    assert seen.subjects() == ["instance"]
    assert "issued by other.example.com" in seen.finding("AUT011").symptom
    assert not seen.ruled_out() & {UNKNOWN_KEY, FORGED}


@pytest.mark.symptom("23b")
@pytest.mark.variation("23a", "AUT011")
def test_a_key_that_appears_when_it_is_fetched_again_is_a_rotation(ask, keys: KeyStandIn, told) -> None:
    keys.instance.rotate()
    keys.behave(after_hits=1)
    seen = ask(keys.mint())
    told(seen.run.before)
    assert seen.subjects() == ["rotation"]
    assert seen.finding("AUT011").severity is Severity.WARNING
    assert keys.hits() == 2


@pytest.mark.variation("23b", "AUT011")
def test_a_key_that_was_withdrawn_stays_unknown_though_the_issuer_is_right(ask, keys: KeyStandIn, told) -> None:
    keys.instance.rotate()
    seen = ask(keys.mint(signer="previous"))
    told(seen.run.before)
    assert seen.subjects() == ["key"]
    assert keys.hits() == 2
    assert "token of another issuer" in seen.ruled_out()


@pytest.mark.symptom("23c")
def test_keys_of_another_instance_are_found_by_the_secret_key_without_any_token(ask, keys: KeyStandIn, told) -> None:
    keys.behave("other-instance")
    seen = ask(keys.mint(), CLERK_SECRET_KEY=SECRET_KEY, CLERK_API_URL=keys.url)
    told(seen.run.before)
    assert seen.roots() == ["AUT008"]
    assert "another instance" in seen.finding("AUT008").symptom
    assert seen.subjects() == ["key"]
    assert seen.effects() == {"AUT011"}


def test_another_key_under_the_same_name_is_found_by_its_number(ask, keys: KeyStandIn) -> None:
    keys.behave("other-key")
    seen = ask(keys.mint(), CLERK_SECRET_KEY=SECRET_KEY, CLERK_API_URL=keys.url)
    assert seen.roots() == ["AUT008"]
    assert "the same name and another number" in seen.finding("AUT008").evidence[0].text
    assert seen.subjects() == ["signature"]
    assert seen.effects() == {"AUT011"}


@pytest.mark.parametrize("mode", ["test", "live"])
def test_settings_of_two_instances_are_told_before_any_token_is_seen(ask, keys: KeyStandIn, mode: Any) -> None:
    other = publishable_key("clerk.example.com", mode)
    seen = ask(NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=other)
    assert seen.roots() == ["AUT007"]
    assert "clerk.example.com" in seen.finding("AUT007").symptom


@pytest.mark.variation("23c", "AUT007")
def test_a_test_key_beside_a_live_key_explains_the_unknown_key(ask, keys: KeyStandIn, told) -> None:
    token = keys.mint(headers={"kid": "ins_other"})
    seen = ask(token, CLERK_SECRET_KEY=SECRET_KEY.replace("test", "live"), CLERK_API_URL=keys.url)
    told(seen.run.before)
    assert "AUT007" in seen.roots()
    assert "is a test key and CLERK_SECRET_KEY is a live key" in seen.finding("AUT007").symptom
    assert "AUT011" in seen.effects()


def test_a_secret_key_that_the_provider_refuses_is_named(ask, keys: KeyStandIn) -> None:
    seen = ask(CLERK_SECRET_KEY="sk_test_" + "A" * 40, CLERK_API_URL=keys.url)
    assert seen.roots() == ["AUT008"]
    assert "is refused by Clerk's API" in seen.finding("AUT008").symptom


def test_an_address_on_another_host_that_publishes_the_same_key_is_a_proxy(ask, keys: KeyStandIn) -> None:
    other_name = keys.jwks_url.replace("127.0.0.1", "localhost")
    seen = ask(keys.mint(), CLERK_JWKS_URL=other_name)
    assert seen.roots() == []
    assert "settings of different instances" in seen.ruled_out()


def test_an_address_on_another_host_with_another_key_is_another_instance(ask, keys: KeyStandIn) -> None:
    with serving() as other:
        seen = ask(keys.mint(), CLERK_JWKS_URL=other.jwks_url)
    assert seen.roots() == ["AUT007"]
    assert seen.subjects() == ["key"]
    assert seen.effects() == {"AUT011"}


@pytest.mark.parametrize(
    ("settings", "words", "code"),
    [
        ({"CLERK_PUBLISHABLE_KEY": "pk_test_replace-me!"}, "characters that base64 has not", "AUT006"),
        ({"CLERK_PUBLISHABLE_KEY": SECRET_KEY}, "publishable keys are sent to every browser", "AUT006"),
        ({"CLERK_SECRET_KEY": "pk_test_Zm9v"}, "it is a publishable key", "AUT006"),
        ({"ENVIRONMENT": "production"}, "ENVIRONMENT says production", "AUT007"),
        (
            {"CLERK_PUBLISHABLE_KEY": publishable_key("happy-cat-1.clerk.accounts.dev", "live")},
            "live key of the development host",
            "AUT007",
        ),
    ],
)
def test_a_key_that_is_none_or_in_the_wrong_place_is_named(
    ask, settings: dict[str, str], words: str, code: str
) -> None:
    seen = ask(**settings)
    assert any(words in finding.symptom for finding in seen.findings(code))
    assert code in seen.roots()
