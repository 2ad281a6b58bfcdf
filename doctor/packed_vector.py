"""A vector as pgvector sends and receives it: number of dimensions, nothing, four-byte floats (``vector_send``).

Packed once, a vector is judged, hashed and sent as bytes, each many times quicker than a list of numbers is.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence

_HEAD = 4
"""Bytes before the first float."""

_HUGE = (0x7F, 0xFF)
"""The first byte of floats from 2**127 on, of infinities and of what is no number, positive and negative."""


def packed(vector: Sequence[float]) -> bytes:
    """Pack a vector.

    Raises:
        struct.error: something in it is no number.
        OverflowError: a value is too large for a float of four bytes.
    """
    return _form(len(vector))(len(vector), 0, *vector)


def is_huge(vector: bytes) -> bool:
    """Whether a packed vector has a value that is no number, or half as large as a float of four bytes can be."""
    first = vector[_HEAD::4]
    return any(byte in first for byte in _HUGE)


@functools.cache
def _form(size: int) -> Callable[..., bytes]:
    return struct.Struct(f">HH{size}f").pack
