"""A model server fails in every way: no bad vector comes out, one bad text costs no other, and waiting has an end.

The server is a stand-in in this process: it answers and fails as it is told. Errors are those of the real client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.fix import FixError
from doctor.packed_vector import packed
from doctor.resources.model_server import (
    Answer,
    ModelError,
    ModelNotFound,
    ModelServerError,
    ModelServerUnreachable,
    seconds_to_wait,
)
from doctor.resources.unreachable import Reason
from doctor.text_embedding import PROBE, Embedder, Refused, flaw

GOOD = [1.0, 2.0, 3.0]
PACKED = packed(GOOD)
TEXTS = [f"text {number}" for number in range(16)]


def refusing(status: int, retry_after: str = "") -> ModelServerError:
    return ModelServerError(f"status {status}", Answer.of("http://stand-in", status, "", b"", retry_after))


HANGS = ModelServerUnreachable(Reason.TIMEOUT, "stand-in", "60 s")


class StandIn:
    """Answers a request as ``answer`` says: a list of vectors, or an error to raise."""

    def __init__(self, answer: Callable[[Sequence[str]], Any]) -> None:
        self._answer = answer
        self.requests: list[list[str]] = []
        self.pauses: list[float] = []

    async def embed(self, _model: str, texts: Sequence[str], **_options: Any) -> list[list[float]]:
        self.requests.append(list(texts))
        answer = self._answer(texts)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def vectors(self, texts: Sequence[str] = TEXTS) -> list[Any]:
        return await Embedder(self, "m", 3, sleep=self.sleep).vectors(texts)


def poisoned(poison: str, failure: Exception) -> Callable[[Sequence[str]], Any]:
    return lambda texts: failure if poison in texts else [GOOD for _ in texts]


@pytest.mark.parametrize("failure", [refusing(400), refusing(413), refusing(500), HANGS, refusing(200)])
async def test_a_text_at_which_the_server_fails_costs_no_other_one(failure: Exception) -> None:
    server = StandIn(poisoned("text 11", failure))
    made = await server.vectors()
    assert [number for number, vector in enumerate(made) if isinstance(vector, Refused)] == [11]
    assert all(vector == PACKED for number, vector in enumerate(made) if number != 11)
    assert len(server.requests) < 25


async def test_no_text_is_embedded_a_second_time_when_another_one_is_refused() -> None:
    server = StandIn(poisoned("text 3", refusing(400)))
    await server.vectors()
    answered = [text for texts in server.requests if "text 3" not in texts for text in texts if text != PROBE]
    assert sorted(answered) == sorted(text for text in TEXTS if text != "text 3")


@pytest.mark.parametrize("failure", [refusing(500), HANGS, ModelServerUnreachable(Reason.REFUSED, "stand-in", "")])
async def test_a_server_that_does_not_recover_ends_the_run_after_five_attempts(failure: Exception) -> None:
    server = StandIn(lambda _texts: failure)
    with pytest.raises(FixError, match="the model server keeps failing"):
        await server.vectors()
    assert len([texts for texts in server.requests if texts != [PROBE]]) == 5
    assert server.pauses == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_server_that_refuses_everything_is_not_asked_text_by_text(status: int) -> None:
    server = StandIn(lambda _texts: refusing(status))
    with pytest.raises(FixError, match=f"status {status}"):
        await server.vectors()
    assert len(server.requests) == 2
    assert server.pauses == []


async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks() -> None:
    answers = iter([refusing(429, "7"), refusing(429), refusing(503, "0")])
    server = StandIn(lambda texts: next(answers, [GOOD for _ in texts]))
    assert await server.vectors() == [PACKED] * 16
    assert server.pauses == [7.0, 1.0, 0.0]
    assert server.requests == [TEXTS] * 4


async def test_a_pause_of_hours_ends_the_run() -> None:
    with pytest.raises(FixError, match="left alone for 3600 s; run again then"):
        await StandIn(lambda _texts: refusing(429, "3600")).vectors()


async def test_a_missing_model_ends_the_run_at_once() -> None:
    server = StandIn(lambda _texts: ModelNotFound("m", Answer.of("http://stand-in", 404, "", b"")))
    with pytest.raises(ModelError, match="no model 'm'"):
        await server.vectors()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        ([1.0, 2.0], "2 dimensions in place of 3"),
        ([], "0 dimensions in place of 3"),
        ([1.0, float("nan"), 2.0], "no numbers"),
        ([1.0, float("-inf"), 2.0], "no numbers, or too large"),
        ([1e39, 0.0, 0.0], "too large"),
        ([0.0, 0.0, 0.0], "a zero vector"),
        ([1e-9, 0.0, 0.0], "a zero vector"),
        ([0.5, 0.5, 0.5], "the same value throughout"),
    ],
)
async def test_a_vector_that_must_not_be_stored_is_turned_down(vector: list[float], reason: str) -> None:
    made = await StandIn(lambda texts: [vector if text == "text 1" else GOOD for text in texts]).vectors(TEXTS[:3])
    assert made[0] == made[2] == PACKED
    assert isinstance(made[1], Refused)
    assert reason in made[1].reason


@given(st.lists(st.floats(), max_size=5))
def test_what_passes_can_be_compared(vector: list[float]) -> None:
    if flaw(vector, 3) is None:
        assert len(vector) == 3
        assert sum(value * value for value in vector) ** 0.5 > 0
        assert all(abs(value) < 3.5e38 for value in vector)


@given(st.lists(st.floats() | st.sampled_from([0.0, -0.0, 1e-7, 1e38, -3.4e38, 3.5e38]), min_size=3, max_size=3))
async def test_what_is_told_at_a_glance_is_told_alike_by_looking_closely(vector: list[float]) -> None:
    beside, made = await StandIn(lambda _texts: [GOOD, vector]).vectors(["good", "text"])
    assert isinstance(made, Refused) is (flaw(vector, 3) is not None)
    assert beside == PACKED


def test_a_time_to_wait_is_read_in_both_forms() -> None:
    now = datetime(2026, 11, 25, 8, 0, 0, tzinfo=UTC)
    assert seconds_to_wait("120") == 120
    assert seconds_to_wait("Wed, 25 Nov 2026 08:00:30 GMT", now) == 30
    assert seconds_to_wait("Wed, 25 Nov 2026 07:00:00 GMT", now) == 0
    assert [seconds_to_wait(value) for value in ("", "soon", "-3", "²")] == [None] * 4
