"""By which distances the code orders the vectors of a column: what an index on it must serve."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from doctor.resources.catalog import VectorColumn, parts
from doctor.statement_tables import NamedTable, qualifier_before, tables_of

_OPERATOR = r"(?P<operator><=>|<->|<#>|<\+>)"
_CAST = r"(?:\s*\)?\s*::\s*\w+(?:\s*\(\s*\d+\s*\))?)?"
_KEYS = re.compile(r"\bORDER\s+BY\s+(?P<keys>.*?)(?=\bLIMIT\b|\bOFFSET\b|\bFETCH\b|\bORDER\s+BY\b|;|$)", re.IGNORECASE)
_ALIAS = re.compile(r"\s[^,]{0,300}?\bAS\s+\"?(?P<name>\w+)", re.IGNORECASE)


def operators_ordering(statement: str, column: VectorColumn, columns: Iterable[VectorColumn] = ()) -> set[str]:
    """Return the operators by which a statement orders this column, itself or through a name (``… AS distance``).

    The column is meant by a qualifier of its table, for a partition of the outermost one; without a qualifier, where
    the statement reads no other table of ``columns`` that has a column of this name. A table that the program fills in
    may be any.
    """
    tables = tables_of(statement)
    same = [column, *(other for other in columns if other.column == column.column)]
    keys = " ".join(match["keys"] for match in _KEYS.finditer(statement))
    words = set(re.findall(r"\w+", keys))
    found = set()
    for match in _uses(column.column).finditer(statement):
        alias = _ALIAS.match(statement, match.end())
        start = match.start("column" if match["operator"] else "reversed_column")
        is_key = match[0] in keys or (alias is not None and alias["name"] in words)
        if is_key and _means(qualifier_before(statement, start), tables, same):
            found.add(match["operator"] or match["reversed"])
    return found


def _means(qualifier: str, tables: Mapping[str, frozenset[NamedTable]], same: list[VectorColumn]) -> bool:
    """Whether a column with this qualifier is the first of those that have its name."""
    own, named = _table(same[0]), tables.get(qualifier)
    if named is not None and not any(table.open for table in named):
        return all(table.may_be(*own) for table in named)
    read = [table for each in tables.values() for table in each]
    known = {_table(one) for one in same if any(table.may_be(*_table(one)) for table in read)}
    return known == {own} or (not known and any("{" in table.table for table in read))


def _table(column: VectorColumn) -> tuple[str, str]:
    """Return schema and table as a query names them: of a partition, the outermost ones."""
    schema, table = parts(column.root or column.table_name)
    return schema, table


def _uses(column: str) -> re.Pattern[str]:
    """Return what finds the column on either side of an operator."""
    name = rf"{re.escape(column)}\"?"
    reverse = _OPERATOR.replace("operator", "reversed")
    forward = rf"(?P<column>\b{name}){_CAST}\s*{_OPERATOR}"
    return re.compile(rf"{forward}|{reverse}\s*\(?(?:\"?\w+\"?\.)?\"?(?P<reversed_column>\b{name})")
