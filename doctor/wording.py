"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 row``, ``2 rows``, ``1,000 rows``; ``plural`` for nouns that take no *s*."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
