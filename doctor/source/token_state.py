"""What is known of tokens at one point of a function: which names hold parts of them, and what was checked so far."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Part(StrEnum):
    """Which part of a token a value is."""

    TOKEN = "token"  # noqa: S105 - the kind, not one
    """The token itself, or the request that brings it."""
    SEGMENT = "segment"
    """A piece between two dots, perhaps decoded from base64."""
    CLAIMS = "claims"
    """All claims, read without the signature."""
    WHOLE = "whole"
    HEADER = "header"
    FIELD = "field"
    """One value of the header, or a claim that only describes the token."""
    IDENTITY = "identity"
    """A claim that says who somebody is, or something made of it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: the reading at ``line``, and there the value under ``key``.

    ``exact`` is lost when a function that is not known made something of it. ``is_url``: it stands in an address of
    keys. ``fallback``: read in the handler of a verification that failed. ``sender`` is
    the parameter, or the request, that brought the token.
    """

    part: Part
    line: int
    key: str = ""
    exact: bool = True
    is_url: bool = False
    fallback: bool = False
    sender: str = ""


Path = tuple[tuple[ast.expr, bool], ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """An identity or all claims of an unverified token leave a function: returned, or assigned to an attribute."""

    origin: Origin
    function: str
    line: int
    returned: bool
    path: Path


@dataclass(frozen=True, slots=True)
class KeyAddress:
    """An address of signing keys that a token chooses itself is used."""

    origin: Origin
    function: str
    line: int


@dataclass(frozen=True, slots=True)
class Bypass:
    """A function that verifies tokens answers before it has looked at one."""

    function: str
    line: int
    path: Path


Origins = frozenset[Origin]
ALL = "*"
"""In place of a key: every value of a reading."""

NOTHING: Origins = frozenset()
UNVERIFIED = frozenset({Part.CLAIMS, Part.WHOLE, Part.HEADER, Part.FIELD, Part.IDENTITY})


@dataclass(slots=True)
class State:
    """The names that hold something, what was compared with a value of the program's own, and the way here.

    ``checked`` are (line, key) of readings; ``verified``: the signature has been checked since. ``path`` are the
    conditions that led here, with what each was. ``fallback``: a verification has failed; ``proven``: it has failed
    after the signature had been found good.
    """

    names: dict[str, Origins] = field(default_factory=dict)
    checked: frozenset[tuple[int, str]] = frozenset()
    verified: bool = False
    has_read: bool = False
    path: Path = ()
    fallback: bool = False
    proven: bool = False
    ended: bool = False

    def copy(self) -> State:
        """Return a state that changes by itself."""
        return replace(self, names=dict(self.names))

    def is_open(self, origin: Origin) -> bool:
        """Whether nobody has checked this value yet, by the signature or against one of the program's own."""
        known = {(origin.line, origin.key), (origin.line, ALL)} & self.checked
        return not self.verified and not known

    def leads_on(self, test: ast.expr, outcome: bool, checked: frozenset[tuple[int, str]]) -> State:
        """Return the state in a branch."""
        return replace(self, names=dict(self.names), checked=self.checked | checked, path=(*self.path, (test, outcome)))


def joined(first: State, second: State, path: Path) -> State:
    """Return what holds after two branches; one that ended does not count."""
    if first.ended or second.ended:
        left = second if first.ended else first
        return replace(
            left, ended=first.ended and second.ended, path=left.path if first.ended is not second.ended else path
        )
    names = {
        name: first.names.get(name, NOTHING) | second.names.get(name, NOTHING)
        for name in first.names.keys() | second.names.keys()
    }
    return State(
        names=names,
        checked=first.checked & second.checked,
        verified=first.verified and second.verified,
        has_read=first.has_read or second.has_read,
        path=path,
        fallback=first.fallback,
        proven=first.proven,
    )
