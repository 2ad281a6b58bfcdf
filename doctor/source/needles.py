"""Looks for many short texts in one go: fifty passes over the bytes of a tree cost more than parsing what they find.

Texts that share a rare byte share a regular expression that begins with it, so that the search runs from one such byte
to the next at the speed of ``memchr``, and looks at the surroundings only there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_BY_FREQUENCY = b" etsaronildc_pumf.\"gh,():=ybkwvx'ETNAS[]I#RO-CLDq`PFM0*/U{}jB>GzH12VW%KY|4@3Q5+6\\JX89<!7;Z?$~^&"
"""The bytes of Python source, the most frequent first (35 MB of public projects)."""

_PASS = 11.0
_STOP = 60.0
_DECLINE = 0.92
_LATE = 0.3
"""Milliseconds for those 35 MB: of a pass, and of stopping at the most frequent byte; each next one is rarer by 8 %. A
needle that does not begin with the byte has to be looked at each time."""


class Needles:
    """The texts to look for."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        self._groups = tuple(
            (_pattern(byte, shared), tuple(shared)) for byte, shared in _by_byte(sorted(set(needles))).items()
        )

    def in_(self, content: bytes) -> frozenset[bytes]:
        """Return those that ``content`` holds."""
        return frozenset(self._found(content))

    def _found(self, content: bytes) -> Iterator[bytes]:
        for pattern, shared in self._groups:
            if pattern.search(content) is not None:
                yield from (needle for needle in shared if needle in content)


def _by_byte(needles: list[bytes]) -> dict[int, list[bytes]]:
    """Put the needles into few groups that each share a byte, rare bytes preferred."""
    groups: dict[int, list[bytes]] = {}
    left = set(needles)
    while left:
        shared: dict[int, list[bytes]] = {}
        for needle in sorted(left):
            for byte in set(needle):
                shared.setdefault(byte, []).append(needle)
        byte = min(shared, key=lambda one: (_cost(one, shared[one]) / len(shared[one]), one))
        groups[byte] = shared[byte]
        left.difference_update(shared[byte])
    return groups


def _cost(byte: int, needles: list[bytes]) -> float:
    rank = _BY_FREQUENCY.find(byte)
    late = sum(needle[0] != byte for needle in needles)
    return _PASS + (_STOP * _DECLINE**rank * (1 + _LATE * late) if rank >= 0 else 0.0)


def _pattern(byte: int, needles: list[bytes]) -> re.Pattern[bytes]:
    """Match any of the needles from this byte on; what stands before it is looked at last."""
    alternatives = []
    for needle in needles:
        head, _, tail = needle.partition(bytes([byte]))
        before = b"(?<=" + re.escape(needle) + b")" if head else b""
        alternatives.append(re.escape(tail) + before)
    # A look-ahead, because a longer fixed beginning would not be searched for by memchr.
    return re.compile(re.escape(bytes([byte])) + b"(?=" + b"|".join(alternatives) + b")")
