"""Scores follow from the text alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.pipeline.app.importance import rate


@pytest.mark.parametrize("text", ["", "\U0001f44d\U0001f44d", "...", "ok", "thanks a lot"])
def test_small_talk_is_noise(text: str) -> None:
    assert rate(text).noise_class == "noise"


def test_a_substantial_message_is_signal() -> None:
    verdict = rate("The deploy failed because the index on messages.embedding was invalid, should we rebuild it?")
    assert verdict.noise_class == "signal"
    assert verdict.score > rate("The deploy is done").score


@given(st.text())
def test_every_text_has_one_score_between_0_and_1(text: str) -> None:
    verdict = rate(text)
    assert 0 <= verdict.score <= 1
    assert verdict == rate(text)


@pytest.mark.parametrize("text", ["x" * 65_536, "a." * 32_768, "fail" * 16_384, "1" * 65_536])
def test_the_longest_text_is_rated_in_linear_time(text: str) -> None:
    start = time.process_time()
    rate(text)
    assert time.process_time() - start < 1  # quadratic patterns take a quarter of a minute
