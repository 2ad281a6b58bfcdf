"""An application's similarity query, made ready for the server: placeholders numbered, or filled with a stored vector.

Text only; nothing is asked here. What is no single query, or has holes that nobody can fill, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from doctor.given_queries import Value
from doctor.late import sql

USUAL_LIMIT = 10
"""Stands for a LIMIT that the program fills in."""

NEAR = 40
"""Characters around a placeholder that say what it is for."""

_OPERATOR = r"(?:<=>|<->|<#>|<\+>|<~>|<%>)"
_TOKEN = re.compile(
    r"(?P<hole>'?\{(?P<name>\w*)\}'?)"
    r"|(?P<literal>'(?:[^']|'')*'|\"[^\"]*\")"
    r"|(?P<cast>::)"
    r"|(?P<percent>%%)"
    r"|(?P<placeholder>%\((?P<python>\w+)\)s|%s|\$(?P<number>\d+)|:(?P<colon>[A-Za-z_]\w*))"
)
_BEFORE_VECTOR = re.compile(rf"{_OPERATOR}\s*(?:CAST\s*)?\(?\s*$", re.IGNORECASE)
_AFTER_VECTOR = re.compile(rf"(?:\s*\)?\s*{_OPERATOR}|\s*(?:::|AS\s)\s*(?:vector|halfvec|sparsevec)\b)", re.IGNORECASE)
_BEFORE_LIMIT = re.compile(r"\bLIMIT\s*$", re.IGNORECASE)
_BEFORE_OFFSET = re.compile(r"\bOFFSET\s*$", re.IGNORECASE)
_BEFORE_TABLE = re.compile(r"\b(?:FROM|JOIN)\s*$", re.IGNORECASE)
_BEFORE_COLUMNS = re.compile(r"\bSELECT\s*$", re.IGNORECASE)
_IS_QUERY = re.compile(r"(?:SELECT|WITH)\b", re.IGNORECASE)

_LIMIT = re.compile(r"\bLIMIT\s+(?P<limit>\d+)(?:\s+OFFSET\s+(?P<offset>\d+))?\s*$", re.IGNORECASE)
_CALL = re.compile(r"([\w.\"]+)\s*\(")
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_HIDES_CALLS = re.compile(r"\\|/\*|--|\$\w*\$")
"""Escapes, comments and quotes by dollars: what is text and what is code, only the server's own parser could say."""

HARMLESS_CALLS = frozenset(
    "abs all and any as avg by cast coalesce count exists filter from greatest halfvec in join lateral least lower"  # noqa: SIM905
    " materialized max min not nullif on or over round select sparsevec sum upper values vector where"
    " cosine_distance l2_distance inner_product negative_inner_product l1_distance".split()
)
"""What may stand before a parenthesis in a query that is run: words of SQL, and functions that change nothing."""


@dataclass(frozen=True, slots=True)
class Statement:
    """``text`` has ``$n`` for what the program binds; ``bound`` are those ``$n`` that are no vectors."""

    text: str
    vectors: frozenset[str]
    bound: frozenset[str]

    @property
    def only_reads(self) -> bool:
        """Whether it calls nothing but what is known to change nothing."""
        calls = {name.lower() for name in _CALL.findall(_LITERAL.sub("''", self.text))}
        return calls <= HARMLESS_CALLS and not _HIDES_CALLS.search(self.text)

    @property
    def limit(self) -> int | None:
        """The rows that the whole of it asks for; None where it has no LIMIT at its end."""
        match = _LIMIT.search(self.text)
        return None if match is None else int(match["limit"])

    @property
    def reach(self) -> int | None:
        """The row, counted from the nearest on, up to which it looks: LIMIT + OFFSET; None where it has no LIMIT."""
        match = _LIMIT.search(self.text)
        return None if match is None else int(match["limit"]) + int(match["offset"] or 0)

    def filled(self, vector: str, values: Mapping[str, str]) -> str | None:
        """Return the statement with ``vector`` in every place of one, and ``values`` in the places that they name.

        All of them are expressions of SQL. None where something else would have to be guessed.
        """
        if self.bound - values.keys():
            return None
        known = {**values, **dict.fromkeys(self.vectors, vector)}
        return _TOKEN.sub(lambda token: known.get(token["placeholder"] or "", token[0]), self.text)


def statement_of(text: str, table: str, values: Mapping[str, Value] | None = None) -> Statement | None:
    """Return a query with its placeholders numbered; ``table`` (quoted) stands where the program names one.

    Placeholders whose names are in ``values`` are filled with those.

    None for what is no single query, or has a hole that is neither table, columns, vector nor limit.
    """
    text = text.strip().removesuffix(";").rstrip()
    if not _IS_QUERY.match(text) or ";" in text:
        return None
    numbering = _Numbering(text, table, values or {})
    numbered = _TOKEN.sub(numbering.of, text)
    return None if numbering.unknown else Statement(numbered, frozenset(numbering.vectors), frozenset(numbering.bound))


def names_no_table(text: str) -> bool:
    """Whether the program fills in the table."""
    holes = (token.start() for token in _TOKEN.finditer(text) if token["hole"])
    return any(_BEFORE_TABLE.search(text[max(0, start - NEAR) : start]) for start in holes)


def _name_of(token: re.Match[str]) -> str:
    """Return what the program calls a placeholder: ``topic`` of ``%(topic)s``, ``:topic`` and ``{topic}``."""
    return token["name"] or token["python"] or token["number"] or token["colon"] or ""


class _Numbering:
    """Numbers the placeholders of one text from ``$1`` on; the same name gets the same number."""

    def __init__(self, text: str, table: str, values: Mapping[str, Value]) -> None:
        self.text = text
        self.table = table
        self.values = values
        self.numbers: dict[str, str] = {}
        self.vectors: set[str] = set()
        self.bound: set[str] = set()
        self.unknown = False

    def of(self, token: re.Match[str]) -> str:
        if token["percent"]:
            return "%"
        if not token["hole"] and not token["placeholder"]:
            return token[0]
        if (value := self.values.get(_name_of(token))) is not None:
            return sql.Literal(value).as_string(None)
        before = self.text[max(0, token.start() - NEAR) : token.start()]
        after = self.text[token.end() : token.end() + NEAR]
        if _BEFORE_LIMIT.search(before):
            return str(USUAL_LIMIT)
        if _BEFORE_OFFSET.search(before):
            return "0"
        is_vector = bool(_BEFORE_VECTOR.search(before) or _AFTER_VECTOR.match(after))
        if token["hole"] and not is_vector:
            return self._hole(token, before)
        number = self._number(token)
        (self.vectors if is_vector else self.bound).add(number)
        if number in self.vectors:
            self.bound.discard(number)
        return number

    def _hole(self, token: re.Match[str], before: str) -> str:
        places: tuple[tuple[Callable[[str], object], str], ...] = (
            (_BEFORE_TABLE.search, self.table),
            (_BEFORE_COLUMNS.search, "*"),
        )
        for stands, filled in places:
            if stands(before):
                return filled
        self.unknown = True
        return token[0]

    def _number(self, token: re.Match[str]) -> str:
        name = token[0] if token[0] not in ("%s", "{}", "'{}'") else f"{token[0]}@{token.start()}"
        return self.numbers.setdefault(name, f"${len(self.numbers) + 1}")
