"""Deterministic embeddings: a hashed bag of words, so that texts that share words are near one another.

Each word goes to a few places of the vector with a sign, both taken from its hash (feature hashing, Weinberger et al.
2009). Parts of words count a little, so that ``index`` and ``indexes`` are not strangers; words without meaning count
next to nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from doctor.pipeline.sandbox.models.words import STOP_WORDS, stem, words_of

PLACES_PER_FEATURE = 4
STOP_WORD_WEIGHT = 0.1
WORD_PART_WEIGHT = 0.25


def embed(text: str, dimensions: int, salt: str = "") -> list[float]:
    """Return a vector of length 1 with ``dimensions`` values.

    The ``salt`` (the model's name) keeps the spaces of different models apart, as those of real models are.
    Any text has a vector, the empty one too.
    """
    return normalised(raw_embedding(text, dimensions, salt))


def raw_embedding(text: str, dimensions: int, salt: str = "") -> list[float]:
    """Return the same direction without the normalisation, as the old ``/api/embeddings`` does."""
    values = [0.0] * dimensions
    for feature, weight in _features(text):
        digest = hashlib.blake2b(f"{salt}|{feature}".encode(), digest_size=4 * PLACES_PER_FEATURE).digest()
        for start in range(0, len(digest), 4):
            number = int.from_bytes(digest[start : start + 4], "big")
            values[(number >> 1) % dimensions] += weight if number & 1 else -weight
    if not any(values):
        values[0] = 1.0
    return values


def normalised(values: Sequence[float]) -> list[float]:
    """Scale to length 1, rounded to what a 4-byte float can hold."""
    length = math.hypot(*values)
    return [round(value / length, 8) for value in values] if length else list(values)


def shortened(values: Sequence[float], dimensions: int | None) -> list[float]:
    """Cut to ``dimensions`` and normalise again; a number that is not below the length is ignored, as Ollama does."""
    if dimensions is None or not 0 < dimensions < len(values):
        return list(values)
    return normalised(values[:dimensions])


def _features(text: str) -> Iterator[tuple[str, float]]:
    """Yield what is hashed, with its weight: repeated words count less than twice (square root)."""
    words = words_of(text)
    if not words:
        yield f"text:{text.strip()}", 1.0
        return
    for word, count in Counter(words).items():
        weight = math.sqrt(count)
        if word in STOP_WORDS:
            yield f"word:{word}", STOP_WORD_WEIGHT * weight
            continue
        yield f"word:{stem(word)}", weight
        for start in range(len(word) - 3):
            yield f"part:{word[start : start + 4]}", WORD_PART_WEIGHT * weight
