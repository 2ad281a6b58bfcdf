"""Patience with what passes by itself: a few attempts, each after twice the pause of the one before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

ATTEMPTS = 5
FIRST_PAUSE = 0.5
"""Seconds after the first failure; with five attempts 7.5 s in all, longer than PostgreSQL takes to restart."""


def back_off(attempt: int) -> float:
    """Return the seconds to wait after the attempt of this number, counted from 0."""
    return FIRST_PAUSE * float(2**attempt)


async def retried(
    work: Callable[[], Awaitable[T]],
    passing: tuple[type[Exception], ...],
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> T:
    """Do the work, again when it fails with one of the ``passing`` errors; the last failure is raised."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return await work()
        except passing:
            await sleep(back_off(attempt))
    return await work()
