"""A token is taken apart without being shown."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.resources.json_web_token import MAX_CHARACTERS, NoTokenError, take_apart


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(header: object, claims: object, signature: str = "c2lnbmF0dXJl") -> str:
    return f"{segment(header)}.{segment(claims)}.{signature}"


def read(text: str):
    return take_apart(text, variable="GIVEN", origin="environment")


def test_what_a_verifier_reads_is_kept_and_nothing_that_says_who_it_is() -> None:
    claims = {"iss": "https://clerk.example.com", "sub": "user_planted", "email": "planted@example.com", "exp": 1.5}
    taken = read(token({"alg": "RS256", "kid": "ins_A", "jku": "https://evil.example.com"}, claims))
    assert (taken.algorithm, taken.kid, taken.has_subject, taken.has_key_address) == ("RS256", "ins_A", True, True)
    assert set(taken.claims) == {"iss", "exp"}
    assert "planted" not in repr(taken)
    assert taken.secret.reveal() not in repr(taken)


@pytest.mark.parametrize(
    ("value", "moment"), [(1.5, 1.5), (10, 10.0), ("10", None), (True, None), (None, None), (1e30, None), ([], None)]
)
def test_a_time_is_a_number_of_seconds(value: object, moment: float | None) -> None:
    assert read(token({"alg": "RS256"}, {"exp": value})).moment("exp") == moment


def test_hostile_claims_are_shown_without_control_characters_and_cut() -> None:
    taken = read(token({"alg": "\x1b[31mRS256" * 90}, {"iss": "\x1b]0;x\x07" + "a" * 999, "aud": ["b\r"] * 99}))
    for shown in (taken.algorithm, taken.claim("iss"), taken.claim("aud")):
        assert "\x1b" not in shown
        assert "\r" not in shown
        assert len(shown) < 160


def test_a_text_that_is_too_long_is_not_read() -> None:
    with pytest.raises(NoTokenError, match="characters"):
        read("a" * (MAX_CHARACTERS + 1))


def test_objects_within_objects_without_end_are_no_token() -> None:
    deep = base64.urlsafe_b64encode(b'{"a":' * 20_000).rstrip(b"=").decode()
    with pytest.raises(NoTokenError, match="header is not base64 of JSON"):
        read(f"{deep[:90_000]}.{segment({})}.a")


@given(st.text(max_size=200))
def test_any_text_is_a_token_or_is_refused_without_being_repeated(text: str) -> None:
    planted = f"planted{text}"
    with pytest.raises(NoTokenError) as raised:
        read(planted)
    assert "planted" not in str(raised.value)


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=9) | st.none() | st.booleans()))
def test_any_object_can_be_taken_apart(values: dict[str, object]) -> None:
    taken = read(token(values, values))
    for name in ("iss", "exp", "aud"):
        assert isinstance(taken.claim(name), str)
        taken.moment(name)
