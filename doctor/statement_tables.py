"""Which table a query means by the name in front of a column: its own name, or an alias of it.

Text only. A name that may mean two tables means none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = r"(?:\"[^\"]{1,63}\"|\w{1,63}|\{\w{0,63}\})"
_AFTER = (
    "where|order|group|limit|offset|fetch|on|using|join|left|right|full|inner|cross|natural|having|union|except"
    "|intersect|window|for|tablesample|lateral"
)
"""Words that follow a table and are no alias of it."""

_SOURCE = rf"(?:ONLY\s+)?(?P<table>{_NAME}(?:\.{_NAME})?)(?:\s+(?:AS\s+)?(?!(?:{_AFTER})\b)(?P<alias>{_NAME}))?"
_FIRST = re.compile(rf"\b(?:FROM|JOIN)\s+{_SOURCE}", re.IGNORECASE)
_NEXT = re.compile(rf"\s*,\s*{_SOURCE}", re.IGNORECASE)
_SUBQUERY = re.compile(rf"\b(?P<name>{_NAME})\s+AS\s+(?:(?:NOT\s+)?MATERIALIZED\s*)?\(", re.IGNORECASE)
_QUALIFIER = re.compile(rf"(?P<name>{_NAME})\s*\.\s*\"?$")

REACH = 140
"""Characters before a column in which its qualifier stands: two names of 63 bytes, with quotes and a dot."""


@dataclass(frozen=True, slots=True)
class NamedTable:
    """A table as a query names it, folded as the server folds it. ``schema`` is empty where the query says none;
    ``open``: the program fills it in, or it is a subquery of the same text."""

    schema: str
    table: str
    open: bool = False

    def may_be(self, schema: str, table: str) -> bool:
        """Whether a table of the catalog is meant."""
        return self.table == table and self.schema in ("", schema)


def tables_of(statement: str) -> dict[str, frozenset[NamedTable]]:
    """Return the tables that a query reads, by the name or alias that qualifies their columns."""
    subqueries = {_folded(match["name"]) for match in _SUBQUERY.finditer(statement)}
    found: dict[str, set[NamedTable]] = {}
    for source in _sources(statement):
        schema, _, table = source["table"].rpartition(".")
        is_open = "{" in source["table"] or (not schema and _folded(table) in subqueries)
        named = NamedTable("" if "{" in schema else _folded(schema), _folded(table), is_open)
        alias = _folded(source["alias"] or "")
        found.setdefault(alias or named.table, set()).add(named)
    return {name: frozenset(tables) for name, tables in found.items()}


def qualifier_before(statement: str, position: int) -> str:
    """Return the name that qualifies the column that starts here, folded; empty where there is none."""
    match = _QUALIFIER.search(statement[max(0, position - REACH) : position])
    return _folded(match["name"]) if match else ""


def _sources(statement: str) -> Iterator[re.Match[str]]:
    for match in _FIRST.finditer(statement):
        source: re.Match[str] | None = match
        while source is not None:
            yield source
            source = _NEXT.match(statement, source.end())


def _folded(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name.lower()
