"""The times of a token: a clock that is wrong here or there, or a token that was kept too long."""

from __future__ import annotations

import pytest

from doctor.model import Severity
from tests.key_stand_in import KeyStandIn

SKEW = "clock skew"


@pytest.fixture(autouse=True)
def now(keys: KeyStandIn) -> float:
    """Let no time pass between the making of a token and the look at it, here and at the provider."""
    return keys.stop_the_clock()


@pytest.mark.symptom("25a")
def test_a_token_from_the_future_is_a_clock_that_is_behind(ask, keys: KeyStandIn, told) -> None:
    keys.behave(clock_offset_seconds=120)
    seen = ask(keys.mint(age=-120))
    told(seen.run.before)
    assert seen.roots() == ["AUT010"]
    assert "s behind the identity provider's" in seen.finding("AUT010").symptom
    assert seen.subjects() == ["too early"]
    assert seen.effects() == {"AUT011"}


@pytest.mark.symptom("25b")
@pytest.mark.variation("25c", "AUT010")
def test_an_expired_token_is_a_clock_that_is_ahead(ask, keys: KeyStandIn, told) -> None:
    keys.behave(clock_offset_seconds=-120)
    seen = ask(keys.mint(age=120))
    told(seen.run.before)
    assert seen.roots() == ["AUT010"]
    assert "s ahead of the identity provider's" in seen.finding("AUT010").symptom
    assert seen.subjects() == ["expired"]
    assert seen.effects() == {"AUT011"}


@pytest.mark.symptom("25c")
@pytest.mark.variation("25b", "AUT011")
def test_an_expired_token_while_the_clocks_agree_was_kept_too_long_by_its_sender(ask, keys: KeyStandIn, told) -> None:
    seen = ask(keys.mint(age=120))
    told(seen.run.before)
    assert seen.roots() == ["AUT011"]
    assert seen.finding("AUT011").severity is Severity.WARNING
    wanted = "expired 60 s ago, it lives 60 s, and the clocks agree; everything else is right"
    assert wanted in seen.finding("AUT011").symptom
    assert SKEW in seen.ruled_out()


@pytest.mark.variation("25a", "AUT011")
def test_a_token_from_the_future_while_the_clocks_agree_is_its_makers_clock(ask, keys: KeyStandIn, told) -> None:
    seen = ask(keys.mint(age=-120))
    told(seen.run.before)
    assert seen.roots() == ["AUT011"]
    assert seen.finding("AUT011").cause == "it was made with a clock that is ahead"


@pytest.mark.parametrize(("age", "accepted"), [(-5, True), (64, True), (-6, False), (65, False)])
def test_times_have_the_leeway_of_the_clocks(ask, keys: KeyStandIn, now: float, age: int, accepted: bool) -> None:
    seen = ask(keys.mint(age=age, claims={"nbf": int(now) - age}))
    assert (seen.roots() == [], seen.findings("AUT011") == ()) == (accepted, accepted)
    texts = " ".join(each.text for each in seen.result("AUT011").observations)
    assert ("within the leeway of 5 s" in texts) is accepted
