"""Similarity queries that the configuration gives, because no text of the source shows them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = bool | int | float | str

_QUERY = re.compile(r"\s*(?:--[^\n]*\n\s*)*(?:SELECT|WITH)\b", re.IGNORECASE)
_DISTANCE = re.compile(r"<=>|<->|<#>|<\+>|_(?:distance|product)\s*\(")


@dataclass(frozen=True, slots=True)
class GivenQuery:
    """A query with its name, and the file and line that give it. ``values`` stand for placeholders, by their names."""

    name: str
    sql: str
    path: str
    line: int
    values: tuple[tuple[str, Value], ...] = field(default=(), repr=False)


def require_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return values of placeholders that can be written into a query.

    Raises:
        ValueError: one is a list, a table, a time, or a number that is not finite.
    """
    for name, value in values.items():
        if not isinstance(value, (bool, int, float, str)) or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"{name!r} is no text, number or truth value")
    return values


def require_similarity_query(text: str) -> str:
    """Return a text that is one query and compares vectors.

    Raises:
        ValueError: it is something else.
    """
    if not _QUERY.match(text) or ";" in text.strip().removesuffix(";"):
        raise ValueError("is no single SELECT; give one query, without a `;` in it")
    if not _DISTANCE.search(text):
        raise ValueError("compares no vectors; a similarity query has `<=>`, `<->`, `<#>` or `<+>`")
    return text
