"""PyJWT, the real one, raises against the stand-in what it raises in the field; nothing here is a copy of its rules."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import jwt
import pytest
from jwt import PyJWKClient
from jwt.exceptions import InvalidSubjectError

from tests.key_stand_in import KeyStandIn

REQUIRED = ["exp", "iat", "iss", "sub"]


def verified(keys: KeyStandIn, token: str, client: PyJWKClient | None = None, **options: Any) -> dict[str, Any]:
    """Verify as an application does that is right."""
    key = (client or PyJWKClient(keys.jwks_url)).get_signing_key_from_jwt(token)
    arguments = {"algorithms": ["RS256"], "issuer": keys.url, "options": {"require": REQUIRED}, **options}
    return dict(jwt.decode(token, key, **arguments))


def tampered(token: str, **claims: Any) -> str:
    head, body, signature = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "==")) | claims
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b'=').decode()}.{signature}"


def test_a_token_is_verified_and_five_cost_one_request(keys: KeyStandIn) -> None:
    client = PyJWKClient(keys.jwks_url)
    for _ in range(5):
        claims = verified(keys, keys.mint(), client)
    assert claims["sub"] == "user_stand_in"
    assert (claims["v"], claims["exp"] - claims["iat"], claims["iat"] - claims["nbf"]) == (2, 60, 10)
    assert keys.hits() == 1


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        ({"headers": {"kid": "ins_B"}}, jwt.PyJWKClientError, 'Unable to find a signing key that matches: "ins_B"'),
        ({"headers": {"kid": None}}, jwt.PyJWKClientError, 'Unable to find a signing key that matches: "None"'),
        ({"signer": "stranger"}, jwt.InvalidSignatureError, "Signature verification failed"),
        ({"age": 90}, jwt.ExpiredSignatureError, "Signature has expired"),
        ({"age": -90}, jwt.ImmatureSignatureError, r"The token is not yet valid \(iat\)"),
        ({"claims": {"nbf": 9_999_999_999}}, jwt.ImmatureSignatureError, r"The token is not yet valid \(nbf\)"),
        ({"claims": {"iss": "https://clerk.example.com"}}, jwt.InvalidIssuerError, "Invalid issuer"),
        ({"claims": {"exp": None}}, jwt.MissingRequiredClaimError, 'Token is missing the "exp" claim'),
        ({"claims": {"aud": "convex"}}, jwt.InvalidAudienceError, "Invalid audience"),
        ({"claims": {"sub": 7}}, InvalidSubjectError, "Subject must be a string"),
        ({"signer": "nobody"}, jwt.InvalidAlgorithmError, "The specified alg value is not allowed"),
        ({"signer": "public-key-as-secret"}, jwt.InvalidAlgorithmError, "The specified alg value is not allowed"),
    ],
)
def test_a_token_with_one_fault_raises_its_own_error(
    keys: KeyStandIn, wanted: dict[str, Any], error: type[Exception], message: str
) -> None:
    token = keys.mint(**wanted)
    with pytest.raises(error, match=f"^{message}$") as raised:
        verified(keys, token)
    assert type(raised.value) is error


def test_what_was_changed_on_the_way_has_no_signature(keys: KeyStandIn) -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        verified(keys, tampered(keys.mint(), sub="somebody_else"))


def test_an_issuer_with_a_slash_is_another_issuer(keys: KeyStandIn) -> None:
    with pytest.raises(jwt.InvalidIssuerError):
        verified(keys, keys.mint(), issuer=f"{keys.url}/")


def test_an_audience_that_is_expected_must_be_there_and_be_the_same(keys: KeyStandIn) -> None:
    with pytest.raises(jwt.MissingRequiredClaimError, match="aud"):
        verified(keys, keys.mint(), audience="api")
    with pytest.raises(jwt.InvalidAudienceError, match="Audience doesn't match"):
        verified(keys, keys.mint(claims={"aud": ["other"]}), audience="api")


def test_hs256_beside_rs256_is_no_refusal_but_a_crash(keys: KeyStandIn) -> None:
    token, both = keys.mint(signer="public-key-as-secret"), ["RS256", "HS256"]
    signing = PyJWKClient(keys.jwks_url).get_signing_key_from_jwt(token)
    with pytest.raises(TypeError, match="Expected a string or bytes value"):
        jwt.decode(token, signing.key, algorithms=both)
    with pytest.raises(jwt.InvalidKeyError, match="asymmetric key") as raised:
        jwt.decode(token, keys.instance.current.public_pem(), algorithms=both)
    assert not isinstance(raised.value, jwt.InvalidTokenError)
    with pytest.raises(jwt.InvalidAlgorithmError, match="does not match the key's algorithm"):
        jwt.decode(token, signing, algorithms=both)  # the whole key knows better than its bare number


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "Not enough segments"),
        ("sk_test_not-a-token", "Not enough segments"),
        ("Bearer {token}", "Invalid header padding"),
    ],
)
def test_what_is_no_token_cannot_be_decoded(keys: KeyStandIn, token: str, message: str) -> None:
    with pytest.raises(jwt.DecodeError, match=message):
        verified(keys, token.format(token=keys.mint()))


@pytest.mark.parametrize(
    ("mode", "error", "message"),
    [
        ("not-found", jwt.PyJWKClientConnectionError, 'Fail to fetch data from the url, err: "HTTP Error 404'),
        ("unauthorized", jwt.PyJWKClientConnectionError, "HTTP Error 401"),
        ("error", jwt.PyJWKClientConnectionError, "HTTP Error 500"),
        ("redirect", jwt.PyJWKClientConnectionError, "HTTP Error 302"),
        ("redirect-circle", jwt.PyJWKClientConnectionError, "HTTP Error 302"),
        ("slow", jwt.PyJWKClientConnectionError, "timed out"),
        ("cut-short", jwt.PyJWKClientConnectionError, "IncompleteRead"),
        ("header-bomb", jwt.PyJWKClientConnectionError, "got more than 65536 bytes when reading header line"),
        ("empty", jwt.PyJWKSetError, "The JWK Set did not contain any keys"),
        ("no-keys", jwt.PyJWKSetError, "The JWK Set did not contain any keys"),
        ("list", jwt.PyJWKClientError, "The JWKS endpoint did not return a JSON object"),
        ("encryption-only", jwt.PyJWKClientError, "The JWKS endpoint did not contain any signing keys"),
        ("without-kid", jwt.PyJWKClientError, "The JWKS endpoint did not contain any signing keys"),
        ("unusable", jwt.PyJWKSetError, "usable keys. Perhaps 'cryptography' is not installed"),
        ("html", json.JSONDecodeError, "Expecting value"),
        ("truncated", json.JSONDecodeError, "Unterminated string"),
        ("invalid-utf8", UnicodeDecodeError, "invalid start byte"),
        ("other-instance", jwt.PyJWKClientError, "Unable to find a signing key that matches"),
        ("other-key", jwt.InvalidSignatureError, "Signature verification failed"),
    ],
)
def test_a_key_set_that_fails_raises_what_it_raises_in_the_field(
    keys: KeyStandIn, mode: Any, error: type[Exception], message: str
) -> None:
    keys.behave(mode, delay_seconds=30)
    with pytest.raises(error, match=re.escape(message)) as raised:
        verified(keys, keys.mint(), PyJWKClient(keys.jwks_url, timeout=0.2 if mode == "slow" else 20))
    assert type(raised.value) is error
    if error in (json.JSONDecodeError, UnicodeDecodeError):
        assert not isinstance(raised.value, jwt.PyJWTError)  # an application that catches only those answers 500


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1/jwks.json", "[Errno 111]"),
        ("http://no-such-name.invalid/jwks.json", "[Errno -"),
        ("https://{host}/jwks.json", "WRONG_VERSION_NUMBER"),
    ],
)
def test_nobody_there_is_a_connection_error_that_says_which(keys: KeyStandIn, url: str, message: str) -> None:
    with pytest.raises(jwt.PyJWKClientConnectionError, match=re.escape(message)):
        PyJWKClient(url.format(host=keys.host)).get_signing_keys()


@pytest.mark.parametrize("url", ["", "file:///etc/hostname"])
def test_what_is_no_address_of_http_is_not_fetched(url: str) -> None:
    with pytest.raises(jwt.PyJWKClientError, match="Invalid JWKS URI scheme"):
        PyJWKClient(url).get_signing_keys()


def test_without_a_list_of_algorithms_and_without_a_token_nothing_is_decoded(keys: KeyStandIn) -> None:
    with pytest.raises(jwt.DecodeError, match='pass in a value for the "algorithms" argument'):
        jwt.decode(keys.mint(), keys.instance.current.public_pem())
    with pytest.raises(jwt.DecodeError, match="Invalid token type"):
        jwt.decode(None, keys.instance.current.public_pem(), algorithms=["RS256"])  # type: ignore[arg-type]


def test_a_key_of_a_rotation_is_not_fetched_within_the_cool_down(keys: KeyStandIn) -> None:
    patient, eager = PyJWKClient(keys.jwks_url), PyJWKClient(keys.jwks_url, cooldown_duration=0)
    verified(keys, keys.mint(), patient)
    verified(keys, keys.mint(), eager)
    keys.instance.rotate()
    assert keys.hits() == 2
    with pytest.raises(jwt.PyJWKClientError, match="Unable to find a signing key"):
        verified(keys, keys.mint(), patient)
    assert keys.hits() == 2
    verified(keys, keys.mint(), eager)
    assert keys.hits() == 3
    with pytest.raises(jwt.PyJWKClientError, match="Unable to find a signing key"):
        verified(keys, keys.mint(signer="previous"), eager)


def test_keys_in_the_cache_serve_until_their_time_is_over_then_everything_fails(keys: KeyStandIn) -> None:
    client = PyJWKClient(keys.jwks_url)
    verified(keys, keys.mint(), client)
    keys.behave("error")
    verified(keys, keys.mint(), client)
    assert client.jwk_set_cache is not None
    client.jwk_set_cache.lifespan = 0  # it is over
    with pytest.raises(jwt.PyJWKClientConnectionError, match="HTTP Error 500"):
        verified(keys, keys.mint(), client)
