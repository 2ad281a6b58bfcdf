"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 row``, ``2 rows``, ``1,000 rows``; ``plural`` for nouns that take no *s*."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def span_of_time(seconds: float) -> str:
    """Return a time to wait for in the unit that a person would take: ``42 s``, ``3 min``, ``2 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
