"""An IVFFlat index has far too few or too many lists for its rows, so search is slow or misses rows.

## What it finds
IVFFlat indexes whose number of lists is off by more than five times from what pgvector's documentation recommends: a
thousandth of the rows up to a million, their square root beyond; and those with less than 30 rows a list.

## Why it hurts
With too few lists each search reads a large part of the table. With too many, a list holds a handful of rows, and a
search that looks into one list (`ivfflat.probes = 1`, the default) misses most neighbours. The lists are fixed when the
index is built: one that was built on an empty table keeps centres that mean nothing.

## How it is told from its look-alikes
Below the number of rows from which the planner uses an index at all, lists do not matter. A table that was never
analysed has no known number of rows; ANALYZE it first. Of a partitioned table each partition is judged by its own
rows.

## How to fix
Build the index anew, concurrently, with the number of lists that the finding names; or an HNSW index, which needs no
such number: `doctor fix VEC004 --unsafe-fixes` builds one, and drops the other when it stands. What belongs to the
index of a partitioned table PostgreSQL does not drop by itself, so it is only built anew.

## False positives
A table that is about to grow or shrink to the size that the lists are made for.
"""

import math
from collections.abc import AsyncIterator, Iterator

from doctor.api import (
    Applicability,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Observation,
    Provenance,
    Resource,
    Role,
    Severity,
    VectorColumn,
    VectorIndex,
    check,
    counted,
    not_indexable,
    readable,
    vector_columns,
)

DEFAULT_LISTS = 100
"""Lists of an index that names none (pgvector 0.8)."""

MANY_ROWS = 1_000_000
OFF_BY = 5
FEWEST_ROWS = 30
"""Rows a list below which a search of one list finds too little."""

FLOOR = 2_000
"""Rows from which the planner may use an index (384 dimensions; more dimensions need more)."""


@check("VEC004", "ivfflat-lists-out-of-range", severity=Severity.WARNING, tags=["live"])
async def ivfflat_lists_out_of_range(database: Database) -> AsyncIterator[Finding | Observation]:
    """Compare the lists of each IVFFlat index with the rows of its table."""
    looked_at = 0
    for column in await vector_columns(database):
        for index in column.vector_indexes:
            if _holds_lists(index) and column.estimated_rows >= FLOOR:
                looked_at += 1
                if is_out_of_range(lists_of(index), column.estimated_rows):
                    yield _finding(column, index)
    yield Observation(f"{counted(looked_at, 'IVFFlat index', 'IVFFlat indexes')} looked at")


def _holds_lists(index: VectorIndex) -> bool:
    """Whether it has lists itself: one of a partitioned table has none, those of its partitions have their own."""
    return index.method == "ivfflat" and index.is_usable and not index.partitioned


def lists_of(index: VectorIndex) -> int:
    """Return the number of lists that an index was built with."""
    found = [option.partition("=")[2] for option in index.options if option.startswith("lists=")]
    return int(found[0]) if found else DEFAULT_LISTS


def recommended(rows: int) -> int:
    """Return the number of lists for so many rows, as pgvector's documentation has it."""
    return max(1, rows // 1000 if rows <= MANY_ROWS else math.isqrt(rows))


def is_out_of_range(lists: int, rows: int) -> bool:
    """Whether lists are off by more than five times, or hold too few rows."""
    right = recommended(rows)
    return lists > right * OFF_BY or lists * OFF_BY < right or rows < lists * FEWEST_ROWS


def _finding(column: VectorColumn, index: VectorIndex) -> Finding:
    rows, lists = column.estimated_rows, lists_of(index)
    right = recommended(rows)
    many = lists > right
    name = readable(index.full_name)
    return Finding(
        code="VEC004",
        resource=Resource("column", column.name),
        symptom=f"index {index.name} on {column.table}.{column.column} has {counted(lists, 'list')} for about {rows:,} "
        f"rows, where about {right:,} are right",
        cause="the lists were chosen for another number of rows",
        severity=Severity.WARNING,
        role=Role.ADVICE,
        subject=index.name,
        impacts=("search misses neighbours" if many else "each search reads much of the table",),
        evidence=(Evidence(EvidenceKind.SQL, "pg_class", index.definition, Provenance.ESTIMATED),),
        rule="pgvector: rows / 1000 lists up to a million rows, the square root beyond",
        fixes=(
            FixOption.by_hand(
                f"build {name} anew with lists = {right}, or use hnsw",
                "the build takes a while",
                f"BEGIN;\nSET LOCAL lock_timeout = '5s';\nALTER INDEX {name} SET (lists = {right});\nCOMMIT;\n"
                f"REINDEX INDEX CONCURRENTLY {name};\n",
            ),
            *_by_hnsw(column, index),
        ),
        validation="doctor check --select VEC004",
    )


def _by_hnsw(column: VectorColumn, index: VectorIndex) -> Iterator[FixOption]:
    """Yield the repair by an HNSW index, where it serves all that the old one does, and the old one can be dropped."""
    if index.attached or index.expression or index.predicate:
        return
    if len(index.operators) != 1 or not_indexable(column, index.operators[0]):
        return
    yield FixOption(
        fix="replace-vector-index",
        title=f"replace {index.name} by an HNSW index, concurrently",
        applicability=Applicability.UNSAFE,
        reason="HNSW takes more memory and longer to build, and makes writes slower",
        arguments={
            "table": column.table_name,
            "column": column.column,
            "operator": index.operators[0],
            "instead_of": [index.full_name],
        },
        recommended=False,
    )
