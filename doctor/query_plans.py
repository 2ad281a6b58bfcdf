"""What the planner makes of a similarity query: which index serves it, or why none can.

``EXPLAIN`` alone runs nothing. Only :func:`missing_rows` runs a query, read-only, and only one that calls nothing but
what is known to read. Sizes, orders and verdicts were measured on PostgreSQL 18 with pgvector 0.8.5.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from doctor.late import sql
from doctor.resources.catalog import VectorColumn, VectorIndex
from doctor.resources.database import Database, DatabaseError, QueryFailed
from doctor.similarity_statements import Statement

FORCED = ("enable_seqscan", "enable_sort", "enable_bitmapscan")
"""Without these the planner takes a vector index wherever it can."""

EXACT = ("enable_indexscan", "enable_indexonlyscan")
"""Without these no vector index is used, and the answer is exact."""

LONGEST_PAGE = 1_000
"""Rows up to which those that a query gives are counted."""

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
    """The verdict on a query over one column. ``key`` is what it orders by, as the server writes it."""

    column: VectorColumn
    verdict: Verdict
    key: str = ""
    reason: str = ""


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
    if column := _serving(nodes, columns):
        return Planned(column, Verdict.USED)
    key = next((key for node in nodes for key in node.get("Sort Key", ())[:1] if _DISTANCE.search(key)), "")
    candidate = _ordered_by(key, nodes, columns)
    if candidate is None:
        return None
    if candidate.estimated_rows < planner_floor(candidate.dimensions):
        return Planned(candidate, Verdict.SMALL, key)
    if not any(node["Node Type"] == "Limit" for node in nodes):
        return Planned(candidate, Verdict.NO_LIMIT, key)
    if _serving(await _nodes(database, statement.text, FORCED), columns):
        return Planned(candidate, Verdict.CHOICE, key)
    return Planned(candidate, *_structural(key, candidate))


async def missing_rows(database: Database, statement: Statement, column: VectorColumn) -> tuple[int, int] | None:
    """Return how many rows the statement gives with the index, and how many there are; None where it is not run.

    The vector is one that is stored, and never one without a length.

    Raises:
        DatabaseError: a question could not be answered in time.
    """
    vector = await _stored_vector(database, column)
    text = None if vector is None else statement.with_vector(vector)
    if text is None:
        return None
    counting = f"SELECT count(*) FROM (SELECT FROM ({text}) AS given LIMIT {LONGEST_PAGE}) AS page".encode()
    (given,) = await database.fetch(counting)
    (exact,) = await database.fetch(counting, switched_off=EXACT)
    return given["count"], exact["count"]


async def _nodes(database: Database, text: str, switched_off: Collection[str] = ()) -> list[dict[str, Any]]:
    explain = f"EXPLAIN (FORMAT JSON, VERBOSE, GENERIC_PLAN) {text}".encode()
    (row,) = await database.fetch(explain, switched_off=switched_off)
    (plan,) = row["QUERY PLAN"]
    return list(_walk(plan["Plan"]))


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _walk(inner)


def _serving(nodes: list[dict[str, Any]], columns: Collection[VectorColumn]) -> VectorColumn | None:
    """Return the column whose vector index gives the rows in order."""
    names = {(node.get("Schema"), node["Index Name"]) for node in nodes if "Order By" in node and "Index Name" in node}
    own = ((column, (index.schema, index.name)) for column in columns for index in usable_indexes(column))
    return next((column for column, name in own if name in names), None)


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


async def _stored_vector(database: Database, column: VectorColumn) -> str | None:
    """Return a stored vector with a length, as a literal of SQL; None where the table begins with none."""
    norm = "vector_norm" if column.type == "vector" else "l2_norm"
    query = sql.SQL(
        "SELECT vector::text FROM (SELECT {column} AS vector FROM {table} WHERE {column} IS NOT NULL LIMIT 100) AS few"
        " WHERE {norm}(vector) > 0 LIMIT 1"
    ).format(column=sql.Identifier(column.column), table=column.quoted_table, norm=sql.Identifier(norm))
    vector = await database.scalar(query)
    return None if vector is None else f"{sql.Literal(vector).as_string(None)}::{column.type}"
