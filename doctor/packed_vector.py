"""A vector as pgvector sends and receives it: number of dimensions, nothing, four-byte floats (``vector_send``).

Packed once, a vector is judged, hashed and sent as bytes, each many times quicker than a list of numbers is; a batch of
them all together is quicker still.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence

_HUGE = (0x7F, 0xFF)
"""The first byte of floats from 2**127 on, of infinities and of what is no number, positive and negative. No vector
begins with one: pgvector's have at most 16,000 dimensions."""


def packed(vector: Sequence[float]) -> bytes:
    """Pack a vector. Raises as :func:`all_packed`."""
    return all_packed([vector], len(vector))[0]


def all_packed(vectors: Sequence[Sequence[float]], dimensions: int) -> list[bytes]:
    """Pack a batch of vectors.

    Raises:
        struct.error: something in it is no number, or a vector has not as many ``dimensions``.
        OverflowError: a value is too large for a float of four bytes.
    """
    pack = _form(dimensions)
    return [pack(dimensions, 0, *vector) for vector in vectors]


def is_huge(vectors: bytes) -> bool:
    """Whether there is a value in packed vectors that is no number, or half as large as a four-byte float can be."""
    first = vectors[::4]
    return any(byte in first for byte in _HUGE)


@functools.cache
def _form(size: int) -> Callable[..., bytes]:
    return struct.Struct(f">HH{size}f").pack
