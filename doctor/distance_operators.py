"""By which distances the code orders the vectors of a column: what an index on it must serve."""

from __future__ import annotations

import re

from doctor.resources.catalog import VectorColumn
from doctor.similarity_statements import names_no_table

_OPERATOR = r"(?P<operator><=>|<->|<#>|<\+>)"
_CAST = r"(?:\s*\)?\s*::\s*\w+(?:\s*\(\s*\d+\s*\))?)?"
_KEYS = re.compile(r"\bORDER\s+BY\s+(?P<keys>.*?)(?=\bLIMIT\b|\bOFFSET\b|\bFETCH\b|\bORDER\s+BY\b|;|$)", re.IGNORECASE)
_ALIAS = re.compile(r"\s[^,]{0,300}?\bAS\s+\"?(?P<name>\w+)", re.IGNORECASE)


def operators_ordering(statement: str, column: VectorColumn) -> set[str]:
    """Return the operators by which a statement orders this column, itself or through a name (``… AS distance``).

    The table, for a partition the outermost one, must be named in it, or be left to the program.
    """
    table = column.root.partition(".")[2] if column.root else column.table
    if not names_no_table(statement) and not re.search(rf"\b{re.escape(table)}\b", statement):
        return set()
    keys = " ".join(match["keys"] for match in _KEYS.finditer(statement))
    words = set(re.findall(r"\w+", keys))
    found = set()
    for match in _uses(column.column).finditer(statement):
        alias = _ALIAS.match(statement, match.end())
        if match[0] in keys or (alias is not None and alias["name"] in words):
            found.add(match["operator"] or match["reversed"])
    return found


def _uses(column: str) -> re.Pattern[str]:
    """Return what finds the column on either side of an operator."""
    name = rf"\b{re.escape(column)}\"?"
    reverse = _OPERATOR.replace("operator", "reversed")
    return re.compile(rf"{name}{_CAST}\s*{_OPERATOR}|{reverse}\s*\(?(?:\"?\w+\"?\.)?\"?{name}")
