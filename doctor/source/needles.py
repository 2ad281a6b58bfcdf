"""Looks for many short texts in one go: fifty passes over the bytes of a tree cost more than parsing what they find."""

from __future__ import annotations

from collections.abc import Iterable

from doctor.source.libraries_path import use_libraries


class Needles:
    """The texts to look for; none of them is empty.

    They become one automaton that reads each byte once: 100 texts in 50 MB take a tenth of a second, in which the
    standard library searches for three.
    """

    def __init__(self, needles: Iterable[bytes]) -> None:
        use_libraries()
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        self._needles = sorted(set(needles))
        self._automaton = BytesAhoCorasick(self._needles, implementation=Implementation.DFA)

    def in_(self, content: bytes) -> frozenset[bytes]:
        """Return those that ``content`` holds, also inside of one another."""
        found = self._automaton.find_matches_as_indexes(content, overlapping=True)
        return frozenset(self._needles[index] for index, _, _ in found)
