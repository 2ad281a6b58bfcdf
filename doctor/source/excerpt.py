"""The part of a file on which some facts depend: its imports, and the statements around certain places.

All else becomes empty lines, so that line numbers stay. To parse an excerpt costs a fraction of parsing a large file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise

_LINE = re.compile(rb"\n(?=[^\s#)\]}])")
"""What begins a line without indentation, but for what closes a bracket and for comments."""

_GOES_ON = re.compile(rb"(?:elif|else|except|finally)\b")
_IMPORTS = re.compile(rb"(?:from|import)\b|(?:if|try|with)\b[^\0]*?\bimport\b")
"""An import, or a block that has one; what functions import for themselves is of no use to others."""

_COOKIE = re.compile(rb"[^\n]*(?:\n[^\n]*)?coding[:=]")


def excerpt(content: bytes, places: Iterable[int]) -> bytes | None:
    """Return the imports and the top-level statements that hold one of these offsets; None where it cannot be told.

    Nothing is parsed: a string at the beginning of a line, or brackets around one, may cut a statement in two. What
    comes of that does not parse, or says what it would say as a whole.
    """
    begins = _statements(content)
    if begins is None:
        return None
    wanted = sorted(places)
    parts = []
    for begin, end in pairwise([*begins, len(content)]):
        place = bisect_left(wanted, begin)
        is_kept = (place < len(wanted) and wanted[place] < end) or _IMPORTS.match(content, begin, end) is not None
        parts.append(content[begin:end] if is_kept else b"\n" * content.count(b"\n", begin, end))
    return b"".join(parts)


def _statements(content: bytes) -> list[int] | None:
    """Return where top-level statements begin; None where quotes or an encoding make that uncertain."""
    quotes = [one for one in (b'"""', b"'''") if one in content]
    if len(quotes) > 1 or any(content.count(one) % 2 for one in quotes) or _COOKIE.match(content):
        return None
    return [0, *_begins(content, *quotes)]


def _begins(content: bytes, quotes: bytes = b'"""') -> Iterator[int]:
    counted = seen = above = 0
    for line in _LINE.finditer(content):
        begin = line.end()
        seen += content.count(quotes, counted, begin)
        counted = begin
        if seen % 2:
            continue
        is_decorated = content[above : above + 1] == b"@"
        above = begin
        if not is_decorated and _GOES_ON.match(content, begin) is None:
            yield begin
