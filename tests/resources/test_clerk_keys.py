"""Clerk's keys are decoded, not looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.pipeline.sandbox.keys.identity import publishable_key
from doctor.resources.clerk_keys import read_publishable_key, read_secret_key
from doctor.resources.environment import Variable

SECRET = "sk_live_" + "Kq7vR2mX9tLw4bNz" * 2


def variable(value: str) -> Variable:
    return Variable("CLERK_KEY", value, ".env:1")


@pytest.mark.parametrize(
    ("value", "mode", "host"),
    [
        ("pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk", "test", "foo-bar-13.clerk.accounts.dev"),
        ("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k", "live", "clerk.example.com"),
        ("  pk_live_Y2xlcmsuZXhhbXBsZS5jb20k\n", "live", "clerk.example.com"),
        (publishable_key("127.0.0.1:20400"), "test", "127.0.0.1:20400"),
    ],
)
def test_a_publishable_key_says_its_mode_and_its_host(value: str, mode: str, host: str) -> None:
    key = read_publishable_key(variable(value))
    assert (key.mode, key.host, key.problem) == (mode, host, "")
    assert key.is_development is (mode == "test")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("pk_test_Zm9vL", "not base64"),
        ("pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZX", "cut off"),
        ("pk_test_bG9jYWxob3N0JA", "holds no host"),
        ("pk_test_", "cut off"),
        ("pk_test_your key here", "characters that base64 has not"),
        ("pk_prod_Y2xlcmsuZXhhbXBsZS5jb20k", "begins with neither"),
        ("clerk.example.com", "begins with neither"),
        ("pk_live_////", "not base64"),
    ],
)
def test_what_is_no_publishable_key_is_said_to_be_none(value: str, problem: str) -> None:
    key = read_publishable_key(variable(value))
    assert problem in key.problem
    assert key.host == ""


def test_keys_that_were_exchanged_are_told() -> None:
    assert read_publishable_key(variable(SECRET)).is_secret_key
    assert read_secret_key(variable("pk_test_Zm9v")).problem == "it is a publishable key"


def test_a_secret_key_shows_its_mode_and_nothing_else() -> None:
    key = read_secret_key(variable(SECRET))
    assert (key.mode, key.problem) == ("live", "")
    assert SECRET not in repr(key)
    assert SECRET not in str(key.secret)
    assert key.secret.reveal() == SECRET
    assert read_secret_key(variable("test_" + "a1" * 10)).mode == "test"
    assert read_secret_key(variable("sk_test_short")).problem


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_has_a_problem(text: str) -> None:
    key = read_publishable_key(variable(text))
    assert bool(key.host) is not bool(key.problem)
    secret = read_secret_key(variable(text))
    assert bool(secret.mode) is not bool(secret.problem)


@given(st.from_regex(r"[a-z]{1,10}\.[a-z]{2,5}(:[0-9]{2,4})?", fullmatch=True), st.sampled_from(["test", "live"]))
def test_what_is_made_of_a_host_gives_the_host_back(host: str, mode: str) -> None:
    assert read_publishable_key(variable(publishable_key(host, mode))).host == host  # type: ignore[arg-type]
