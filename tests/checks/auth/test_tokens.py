"""What is no token, and a token that one client alone has refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.key_stand_in import SECRET_KEY, KeyStandIn

PUBLISHED = "signing keys out of reach"
SKEW = "clock skew"
ISSUER = "misspelt issuer"
FORGED = "forged or damaged token"
UNKNOWN_KEY = "unknown signing key"
EXPIRED = "expired token"


@pytest.mark.parametrize(
    ("claims", "settings", "subject"),
    [
        pytest.param(
            {"azp": "https://other.example.com"},
            {"CLERK_AUTHORIZED_PARTIES": "https://app.example.com"},
            "party",
            marks=pytest.mark.symptom("29a"),
        ),
        ({"azp": None}, {"CLERK_AUTHORIZED_PARTIES": "https://app.example.com"}, "party"),
        pytest.param({"aud": "convex"}, {}, "audience", marks=pytest.mark.symptom("29b")),
        ({"aud": ["one", "two"]}, {"CLERK_AUDIENCE": "three"}, "audience"),
        ({}, {"CLERK_AUDIENCE": "three"}, "audience"),
        ({"sub": None}, {}, "subject"),
    ],
)
def test_an_origin_or_audience_that_is_not_expected_is_the_clients_own(
    ask, keys: KeyStandIn, claims: dict[str, Any], settings: dict[str, str], subject: str, told
) -> None:
    seen = ask(keys.mint(claims=claims), **settings)
    told(seen.run.before)
    assert seen.subjects() == [subject]
    assert seen.roots() == ["AUT011"]
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED}


@pytest.mark.variation("29a", None)
def test_an_audience_and_an_origin_that_are_expected_are_ruled_out(ask, keys: KeyStandIn, told) -> None:
    seen = ask(
        keys.mint(claims={"aud": ["api", "web"]}),
        CLERK_AUDIENCE="api",
        CLERK_AUTHORIZED_PARTIES="https://app.example.com, http://localhost:3000",
    )
    told(seen.run.before)
    assert seen.roots() == []
    assert seen.ruled_out() >= {"token for another audience", "token of an origin that is not allowed"}


@pytest.mark.parametrize("signer", ["nobody", "public-key-as-secret"])
def test_a_token_that_no_public_key_checks_is_named_by_its_algorithm(ask, keys: KeyStandIn, signer: Any) -> None:
    seen = ask(keys.mint(signer=signer))
    assert seen.subjects() == ["algorithm"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Bearer {token}", "begins with `Bearer `"),
        (SECRET_KEY, "it is a secret key"),
        ("sess_2abc", "the id of a session"),
        ("a.b.c.d.e", "it is encrypted"),
        ("opaque", "has 1"),
        ("!.b.c", "characters that base64 has not"),
        ("YQ.YQ.YQ", "header is not base64 of JSON"),
    ],
)
def test_what_is_no_token_is_called_what_it_is(ask, keys: KeyStandIn, text: str, words: str) -> None:
    seen = ask(text.format(token=keys.mint()))
    assert words in seen.finding("AUT011").symptom
    assert seen.roots() == ["AUT011"]
