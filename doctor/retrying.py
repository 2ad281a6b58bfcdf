"""Patience with what passes by itself: a few attempts, each after twice the pause of the one before."""

from __future__ import annotations

ATTEMPTS = 5
FIRST_PAUSE = 0.5
"""Seconds after the first failure; with five attempts 7.5 s in all, longer than PostgreSQL takes to restart."""


def back_off(attempt: int) -> float:
    """Return the seconds to wait after the attempt of this number, counted from 0."""
    return FIRST_PAUSE * float(2**attempt)
