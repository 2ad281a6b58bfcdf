"""What passes by itself is waited for, longer each time, and not for ever."""

from __future__ import annotations

import pytest

from doctor.retrying import retried


class Work:
    """Fails so many times, then answers; notes how long was waited."""

    def __init__(self, failures: int, error: type[Exception] = TimeoutError) -> None:
        self.left = failures
        self.error = error
        self.pauses: list[float] = []

    async def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise self.error
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


async def test_an_outage_is_waited_for() -> None:
    work = Work(failures=4)
    assert await retried(work, (TimeoutError,), sleep=work.sleep) == "done"
    assert work.pauses == [0.5, 1.0, 2.0, 4.0]


async def test_the_last_failure_is_raised() -> None:
    work = Work(failures=5)
    with pytest.raises(TimeoutError):
        await retried(work, (TimeoutError,), sleep=work.sleep)


async def test_what_does_not_pass_is_raised_at_once() -> None:
    work = Work(failures=1, error=KeyError)
    with pytest.raises(KeyError):
        await retried(work, (TimeoutError,), sleep=work.sleep)
    assert work.pauses == []
