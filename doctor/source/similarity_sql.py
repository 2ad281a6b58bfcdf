"""What one query of pgvector says of itself: how it orders, and how it compares a similarity with a threshold."""

from __future__ import annotations

import re
from dataclasses import dataclass

DISTANCE = r"(?:<=>|<#>|<->)"
"""The operators of distance that vectors have."""
_WITHIN = r"(?:(?!\b(?:AS|FROM|WHERE|AND|OR|ORDER|LIMIT)\b)[^<>=,;]){0,300}?"
"""A part of one expression: no comparison, no keyword, not the next column; bounded, for a text may be hostile."""

_ONE_MINUS = rf"\b1(?:\.0*)?\s*-{_WITHIN}"
_NEGATED = rf"-\s*(?:1\s*\*\s*)?\({_WITHIN}<#>{_WITHIN}\)|\({_WITHIN}<#>{_WITHIN}\)\s*\*\s*\(?-\s*1"
_SIMILARITY = rf"(?:{_ONE_MINUS}{DISTANCE}{_WITHIN}|{_NEGATED})"
"""What grows as two vectors come nearer: ``1 - (a <=> b)``, ``1 - (a <=> b) / 2``, ``(a <#> b) * -1``."""

_AT_LEAST = re.compile(rf"{_ONE_MINUS}<=>{_WITHIN}>(?!>)", re.IGNORECASE)
_NAMED = re.compile(rf"(?P<what>{_SIMILARITY})\s*\)*\s+AS\s+\"?(?P<name>\w+)", re.IGNORECASE)
_NAMED_DISTANCE = re.compile(r"<=>[^,]{0,300}?\s+AS\s+\"?(?P<name>\w+)", re.IGNORECASE)
_MADE = re.compile(rf"(?P<what>{_ONE_MINUS})(?:>(?!>)|\)*\s+AS\s+\"?(?P<name>\w+))", re.IGNORECASE)
_COMPARED = re.compile(r"\b(?P<name>\w+)\"?\s*>(?!>)")
"""A similarity made of a distance that has a name, compared or named itself; and whatever is compared by its name."""

_WORD = re.compile(r"\w+")
_ORDER = re.compile(
    r"\bORDER\s+BY\s+(?P<key>.*?)\s*(?=\bLIMIT\b|\bOFFSET\b|\bFETCH\b|\)\s*(?:AS\b|SELECT\b|,|$)|;|$)", re.IGNORECASE
)
_LIMIT = re.compile(r"\bLIMIT\b|\bFETCH\s+(?:FIRST|NEXT)\b", re.IGNORECASE)
_QUERY = re.compile(r"\b(?:SELECT|WHERE|ORDER\s+BY)\b", re.IGNORECASE)
_OF_VECTORS = re.compile(r"<=>|<#>|::\s*(?:half|sparse)?vec|embedding|vector", re.IGNORECASE)
LONGEST = 20_000
SHOWN = 200
"""Characters of a text that are read, and that are kept of it."""

_COMMENT = re.compile(r"--[^\n]*")
_DESCENDING = re.compile(r"\bDESC\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SimilarityQuery:
    """One query. ``lets_nan_pass``: it asks whether a similarity is at least something, which NaN is.

    ``order`` is the key by which it takes the nearest rows where no index can give them in that order, else empty.
    ``statement`` is the text in full, on one line and without comments; ``{name}`` stands for what is filled in, and
    ``values`` are those placeholders that are filled already. ``name`` is that of a query that the configuration gives;
    others have none.
    """

    path: str
    line: int
    function: str
    text: str
    lets_nan_pass: bool
    order: str
    statement: str
    name: str = ""
    values: tuple[tuple[str, bool | int | float | str], ...] = ()

    @property
    def place(self) -> str:
        """Where it is written, for people: ``app/search.py:12``, ``doctor.toml:3 "by topic"``."""
        where = f"{self.path}:{self.line}"
        return f'{where} "{self.name}"' if self.name else where


def plain(text: str) -> str:
    """Return a text of SQL on one line, without comments, cut to what is read of it."""
    return " ".join(_COMMENT.sub(" ", text[:LONGEST]).split())


def asks_for_vectors(query: str) -> bool:
    """Whether a plain text is a query, or a part of one, that speaks of vectors."""
    return _QUERY.search(query) is not None and _OF_VECTORS.search(query) is not None


def similarity_query(query: str, path: str, line: int, function: str = "") -> SimilarityQuery:
    """Read a plain text."""
    similarities = {match["name"]: match["what"] for match in _NAMED.finditer(query)}
    return SimilarityQuery(
        path=path,
        line=line,
        function=function,
        text=query[:SHOWN],
        lets_nan_pass=_lets_nan_pass(query, similarities),
        order=_unserved_order(query, similarities),
        statement=query,
    )


def _lets_nan_pass(query: str, similarities: dict[str, str]) -> bool:
    if _AT_LEAST.search(query):
        return True
    distances = {match["name"] for match in _NAMED_DISTANCE.finditer(query)}
    made = [match for match in _MADE.finditer(query) if distances.intersection(_WORD.findall(match["what"]))]
    if any(match["name"] is None for match in made):
        return True
    cosine = {name for name, what in similarities.items() if "<=>" in what} | {match["name"] for match in made}
    return not cosine.isdisjoint(match["name"] for match in _COMPARED.finditer(query))


def _unserved_order(query: str, similarities: dict[str, str]) -> str:
    """Return the first key of the order when it is a similarity, or a distance from the farthest on."""
    if not _LIMIT.search(query):
        return ""
    keys = [match["key"] for match in _ORDER.finditer(query)]
    if any(re.search(DISTANCE, key) and _is_served(key) for key in keys):
        return ""  # the nearest are taken by distance; whoever orders them again has few rows
    return next((key for key in keys if not _is_served(key) and _speaks_of(key, similarities)), "")


def _is_served(key: str) -> bool:
    """Whether an index can give rows in this order: a bare distance, the smallest first."""
    return re.search(_SIMILARITY, key) is None and _DESCENDING.search(key.partition(",")[0]) is None


def _speaks_of(key: str, similarities: dict[str, str]) -> bool:
    first = key.partition(",")[0]
    named = re.match(r"\"?(\w+)", first)
    return re.search(DISTANCE, first) is not None or (named is not None and named[1] in similarities)
