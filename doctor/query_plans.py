"""What the planner makes of a similarity query: which index serves it, or why none can.

``EXPLAIN`` alone runs nothing. Sizes, orders and verdicts were measured on PostgreSQL 18 with pgvector 0.8.5.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Any

from doctor.resources.catalog import VectorColumn, VectorIndex
from doctor.resources.database import Database, DatabaseError, QueryFailed
from doctor.similarity_statements import Statement

FORCED = ("enable_seqscan", "enable_sort", "enable_bitmapscan")
"""Without these the planner takes a vector index wherever it can."""

OLDEST_SERVER = 12
"""The first PostgreSQL that can be made to plan a query without its values (plan_cache_mode)."""

_WITHOUT_VALUES = 16
"""The first whose EXPLAIN does it by itself (GENERIC_PLAN)."""

OPERATOR_CLASSES = {"<=>": "cosine", "<->": "l2", "<#>": "ip", "<+>": "l1", "<~>": "hamming", "<%>": "jaccard"}
"""The part of an operator class's name, by the operator that it serves."""

_FLOOR = ((384, 2_000), (768, 3_000))
_FLOOR_BEYOND = 5_000
"""Up to these dimensions the planner flips to the index at these rows."""

_OPERATOR = r"<=>|<->|<#>|<\+>|<~>|<%>"
_DISTANCE = re.compile(
    rf"{_OPERATOR}|\b(?:cosine_distance|l2_distance|inner_product|negative_inner_product|l1_distance)\("
)
_QUALIFIED = re.compile(r"\"?(\w+)\"?\.\"?(\w+)")
_CONDITIONS = ("Filter", "Index Cond", "Recheck Cond")
_EQUALS = re.compile(
    r"\"?(?P<alias>\w+)\"?\.\"?(?P<column>\w+)\"?\)?(?:::[\w ]+)? = (?P<any>ANY \()?(?P<placeholder>\$\d+)(?![\w.:])"
)
_NOT_NULL = re.compile(r"\([\w.\"]+ IS NOT NULL\)")
_PLACEHOLDER = re.compile(r"\$\d+")
_NUMBERS = count(1)
_CALL = re.compile(r"\w+_(?:distance|product)\(")
_BARE = re.compile(rf"(?P<left>[\w.\"]+|\([\w.\"]+\)::\w+(?:\(\d+\))?) (?P<operator>{_OPERATOR}) ")
_DIRECTION = re.compile(r"(?P<descending> DESC)?(?: NULLS (?P<nulls>FIRST|LAST))?$")


class Verdict(Enum):
    """What the planner does with a query that orders by a distance."""

    USED = "used"
    CHOICE = "the planner's choice"
    SMALL = "table too small"
    NO_LIMIT = "no limit"
    UNSERVED = "unserved"
    MISMATCH = "operator class"


@dataclass(frozen=True, slots=True)
class Planned:
    """The verdict on a query over one column. ``key`` is what it orders by, as the server writes it.

    ``index`` is the one that serves it; ``is_filtered``: conditions are applied to what it gives. ``compared`` are the
    ``$n`` that columns of its table must equal, with the name of the column and whether it is one of several values
    (``= ANY``).
    """

    column: VectorColumn
    verdict: Verdict
    key: str = ""
    reason: str = ""
    index: VectorIndex | None = None
    is_filtered: bool = False
    compared: tuple[tuple[str, str, bool], ...] = ()


def planner_floor(dimensions: int | None) -> int:
    """Return the rows below which the planner ignores an index on vectors of so many dimensions."""
    return next((rows for limit, rows in _FLOOR if (dimensions or 0) <= limit), _FLOOR_BEYOND)


def usable_indexes(column: VectorColumn) -> tuple[VectorIndex, ...]:
    """Return the vector indexes that the planner may use now."""
    return tuple(index for index in column.vector_indexes if index.is_usable)


def is_not_understood(error: DatabaseError) -> bool:
    """Whether the server refused the text of a query: it is for another database, or was put together wrongly."""
    state = error.sqlstate if isinstance(error, QueryFailed) else ""
    return state[:2] in ("22", "42") and state != "42501"


async def planned(database: Database, statement: Statement, columns: Collection[VectorColumn]) -> Planned | None:
    """Return what the planner makes of a statement; None where it orders no indexed column by a distance.

    Raises:
        DatabaseError: the server does not understand the statement, or did not answer.
    """
    nodes = await _nodes(database, statement.text)
    if serving := _serving(nodes, columns):
        return _served(Verdict.USED, nodes, *serving)
    key = next((key for node in nodes for key in node.get("Sort Key", ())[:1] if _DISTANCE.search(key)), "")
    candidate = _ordered_by(key, nodes, columns)
    if candidate is None:
        return None
    if candidate.estimated_rows < planner_floor(candidate.dimensions):
        return Planned(candidate, Verdict.SMALL, key)
    if not any(node["Node Type"] == "Limit" for node in nodes):
        return Planned(candidate, Verdict.NO_LIMIT, key)
    forced = await _nodes(database, statement.text, FORCED)
    if serving := _serving(forced, columns):
        return _served(Verdict.CHOICE, forced, *serving)
    return Planned(candidate, *_structural(key, candidate))


async def _nodes(database: Database, text: str, switched_off: Collection[str] = ()) -> list[dict[str, Any]]:
    if major_version(database) >= _WITHOUT_VALUES:
        explain = f"EXPLAIN (FORMAT JSON, VERBOSE, GENERIC_PLAN) {text}"
        (row,) = await database.fetch(explain.encode(), switched_off=switched_off)
    else:
        name, nulls = f"doctor_{next(_NUMBERS)}", ", ".join("NULL" for _ in set(_PLACEHOLDER.findall(text)))
        execute = f"EXECUTE {name}({nulls})" if nulls else f"EXECUTE {name}"
        explain = f"PREPARE {name} AS {text}; EXPLAIN (FORMAT JSON, VERBOSE) {execute}; DEALLOCATE {name}"
        generic = {"plan_cache_mode": "force_generic_plan"}
        (row,) = await database.fetch(explain.encode(), switched_off=switched_off, settings=generic)
    (plan,) = row["QUERY PLAN"]
    return list(_walk(plan["Plan"]))


def major_version(database: Database) -> int:
    """Return the server's version, such as 18; 0 before the first connection."""
    return int((database.server_version or "0").partition(".")[0])


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _walk(inner)


def _serving(nodes: list[dict[str, Any]], columns: Collection[VectorColumn]) -> tuple[VectorColumn, VectorIndex] | None:
    """Return the vector index that gives the rows in order, and its column."""
    names = {(node.get("Schema"), node["Index Name"]) for node in nodes if "Order By" in node and "Index Name" in node}
    own = ((column, index) for column in columns for index in usable_indexes(column))
    return next(((column, index) for column, index in own if (index.schema, index.name) in names), None)


def _served(verdict: Verdict, nodes: list[dict[str, Any]], column: VectorColumn, index: VectorIndex) -> Planned:
    conditions = (str(node.get("Filter", "")) for node in nodes if node.get("Index Name") == index.name)
    is_filtered = any(condition and not _NOT_NULL.fullmatch(condition) for condition in conditions)
    compared = tuple(_compared(nodes, column))
    return Planned(column, verdict, index=index, is_filtered=is_filtered, compared=compared)


def _compared(nodes: list[dict[str, Any]], column: VectorColumn) -> Iterator[tuple[str, str, bool]]:
    """Yield each ``$n`` that a column of the vector column's table must equal, with that column's name."""
    tables = {node["Alias"]: (node.get("Schema"), node["Relation Name"]) for node in nodes if "Relation Name" in node}
    own = (column.schema, column.table)
    for node in nodes:
        for match in _EQUALS.finditer(" ".join(str(node.get(part, "")) for part in _CONDITIONS)):
            if tables.get(match["alias"]) == own:
                yield match["placeholder"], match["column"], match["any"] is not None


def _ordered_by(key: str, nodes: list[dict[str, Any]], columns: Collection[VectorColumn]) -> VectorColumn | None:
    """Return the indexed column in a key, which the server writes with the alias of its table."""
    aliases = {node["Alias"]: (node.get("Schema"), node["Relation Name"]) for node in nodes if "Relation Name" in node}
    names = {(aliases.get(match[1]), match[2]) for match in _QUALIFIED.finditer(key)}
    indexed = (column for column in columns if usable_indexes(column))
    return next((one for one in indexed if ((one.schema, one.table), one.column) in names), None)


def _structural(key: str, column: VectorColumn) -> tuple[Verdict, str, str]:
    """Say why no index can serve this key; its parts were written by the server itself."""
    direction = _DIRECTION.search(key)
    expression = _unwrapped(key[: direction.start()] if direction else key)
    if direction and direction["descending"]:
        return Verdict.UNSERVED, key, "it falls, and an index gives the nearest first"
    if direction and direction["nulls"] == "FIRST":
        return Verdict.UNSERVED, key, "it has NULLS FIRST, and an index holds no NULL"
    if _CALL.match(expression):
        return Verdict.UNSERVED, key, "it calls a function, and an index knows the operator"
    bare = _BARE.match(expression)
    if bare is None:
        return Verdict.UNSERVED, key, "it is an expression over the distance"
    if "::" in bare["left"] and not any(index.expression for index in usable_indexes(column)):
        return Verdict.UNSERVED, key, "it casts the column, and the index is on the column as it is"
    return _of_operator(bare["operator"], key, column)


def _of_operator(operator: str, key: str, column: VectorColumn) -> tuple[Verdict, str, str]:
    indexes = usable_indexes(column)
    classes = sorted({name for index in indexes for name in index.operator_classes})
    if not any(f"_{OPERATOR_CLASSES[operator]}_ops" in name for name in classes):
        return Verdict.MISMATCH, key, f"the index is for {', '.join(classes)}, which does not serve `{operator}`"
    if all(index.predicate for index in indexes):
        return Verdict.UNSERVED, key, "the index is partial, and the query does not imply its condition"
    return Verdict.UNSERVED, key, "no index of the column fits it"


def _unwrapped(text: str) -> str:
    """Take away parentheses around the whole."""
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1]
    return text


def _closing(text: str) -> int:
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return place
    return -1
