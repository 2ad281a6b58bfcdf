"""Whether the bytes of a file can hold a start in the background that is taken for done: looked at before parsing.

Most files that start something do so for good, and are not worth a parse for this. The glance errs on the side of a
parse: it knows neither scopes nor classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from doctor.source.launches import LITERALS

_NAME = rb"[\w\x80-\xff]+"
_OBJECT = rb"(?:" + _NAME + rb" *\. *)*"
_STARTS = tuple(
    re.compile(rb"Thread\((?<!\wThread\()" if literal == b"Thread(" else re.escape(literal)) for literal in LITERALS
)
"""One pattern each: a search that begins with fixed bytes is many times as quick as one for alternatives."""
_DEF = re.compile(rb"\bdef (" + _NAME + rb") *\(")
_NEXT_DEF = re.compile(rb"\n[ \t]*(?:async )?def ")
_TESTED = re.compile(
    rb"\b(?:if|elif|assert|and|or)\s*\(?\s*(?:not\b\s*\(?)?\s*"
    + _OBJECT
    + rb"((?!is_set\b)"
    + _NAME
    + rb")(?:\.is_set\(\)|\(\))?\s*(?:is\b|and\b|or\b|\)|:|,|==|\n)"
)
_UNSET_OR_PROBE = (
    rb"(?m:(?:\.|^[ \t]{0,4})(?:%s)(?: *:[^=\n]+)? *= *(?:False|None|(?:threading\.|asyncio\.)?Event\(\)))"
    rb"|\bdef (?:%s)\([^)]*\)[^\n]*:\s*(?:\"\"\"[^\"]*\"\"\"\s*)?return "
)
_AWAITED = re.compile(rb"\bawait \(?" + _OBJECT + rb"(" + _NAME + rb")\s*\(")
_CALL = re.compile(rb"[ \t]+\(?(?:await )?" + _OBJECT + rb"(" + _NAME + rb") *\(")
_LEVELS = 2
"""A caller of a function that starts something starts it too."""

_DEFS_BACK, _BYTES_BACK = 2, 4_000
"""How far back the function around a place is looked for; functions inside it may stand in between."""


def may_take_a_start_for_done(content: bytes) -> bool:
    """Whether something that is unset at first is tested after a start, or something is awaited after a call of one."""
    tested: set[bytes] = set()
    starters: set[bytes] = set()
    for start in (start for pattern in _STARTS for start in pattern.finditer(content)):
        tested.update(_TESTED.findall(_rest_of_function(content, start.end())))
        starters.update(_functions_around(content, start.start()))
    done: set[bytes] = set()
    for _ in range(_LEVELS):
        new, done = starters - done, starters | done
        for place, end in _calls(content, new):
            rest = _rest_of_function(content, end)
            waiter = _AWAITED.search(rest)
            if waiter is not None and b"async def %s(" % waiter[1] in content:
                return True
            tested.update(_TESTED.findall(rest))
            starters.update(_functions_around(content, place))
    names = b"|".join(tested)
    return bool(tested) and re.search(_UNSET_OR_PROBE % (names, names), content) is not None


def _calls(content: bytes, names: set[bytes]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the lines that are nothing but a call of one of the functions."""
    for name in names:
        place = content.find(name)
        while place >= 0:
            begin = content.rfind(b"\n", 0, place) + 1
            end = content.find(b"\n", place)
            line = content[begin : len(content) if end < 0 else end]
            called = _CALL.match(line)
            if called is not None and called[1] == name:
                yield begin, begin + len(line)
            place = content.find(name, place + len(name))


def _rest_of_function(content: bytes, start: int) -> bytes:
    end = _NEXT_DEF.search(content, start)
    return content[start : len(content) if end is None else end.start()]


def _functions_around(content: bytes, place: int) -> list[bytes]:
    return _DEF.findall(content[max(0, place - _BYTES_BACK) : place])[-_DEFS_BACK:]
