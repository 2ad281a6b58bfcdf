"""A vector column has no usable index.

## What it finds
A column of a pgvector type without an HNSW or IVFFlat index, or with one that is invalid because its build failed.

## Why it hurts
Every similarity query reads every row. An invalid index is never used and may still slow every write.

## How it is told from its look-alikes
Below about 2,000 rows (384 dimensions), 3,000 (768) or 5,000 (1024 and more) the planner ignores the index even where
it exists (measured on PostgreSQL 18 with pgvector 0.8.5), so its absence is an information there and never the reason
why search finds nothing. An index that is being built is not invalid. A btree on a vector column is no vector index.

## How to fix
`CREATE INDEX CONCURRENTLY … USING hnsw (embedding vector_cosine_ops)` with parameters for the number of rows: 16/64
up to 1,000, 32/128 up to 100,000, 48/200 beyond.

## False positives
A table that is always searched with a filter that leaves few rows.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from doctor.api import (
    Applicability,
    CouldNotTellError,
    Database,
    DatabaseError,
    DatabaseUnreachable,
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
    sql,
    vector_columns,
)

PLANNER_FLOOR = ((384, 2_000), (768, 3_000))
"""Up to these dimensions the planner flips to the index at these rows."""

PLANNER_FLOOR_BEYOND = 5_000
COUNTED_UP_TO = 1 << 28
"""Bytes of heap up to which the rows of a table that was never analysed are counted."""

SMALL = 1 << 24
"""Bytes of heap that are counted at any time: the planner's number lags behind, and counting takes milliseconds."""

MANY_ROWS = 50_000
"""From here on a sequential scan takes longer than a person waits (1536 dimensions: about 0.2 s)."""


@check("VEC001", "vector-index-missing", severity=Severity.WARNING, tags=["live"])
async def vector_index_missing(database: Database) -> AsyncIterator[Finding | Observation]:
    """Judge the indexes of every vector column by the number of its rows."""
    columns = [column for column in await vector_columns(database) if not column.partition]
    problems = []
    for column in columns:
        broken = [index for index in column.vector_indexes if index.is_broken]
        for index in broken:
            yield _invalid(column, index)
        if not broken and not any(index.is_usable or index.building for index in column.vector_indexes):
            try:
                yield _missing(column, await _rows(database, column))
            except DatabaseUnreachable:
                raise
            except DatabaseError as error:
                problems.append(f"{column.table_name}: {error}")
    indexed = sum(any(index.is_usable for index in column.vector_indexes) for column in columns)
    yield Observation(f"{indexed} of {len(columns)} vector columns indexed")
    if problems:
        raise CouldNotTellError(f"{len(problems)} tables could not be counted: {'; '.join(problems)}")


def floor(dimensions: int | None) -> int:
    """Return the number of rows below which the planner ignores an index on vectors of so many dimensions."""
    return next((rows for limit, rows in PLANNER_FLOOR if (dimensions or 0) <= limit), PLANNER_FLOOR_BEYOND)


async def _rows(database: Database, column: VectorColumn) -> int:
    """Return the number of rows: counted where that is quick or the planner has none yet, else the planner's."""
    known = not column.never_analyzed and column.heap_bytes > SMALL
    if known or column.heap_bytes > COUNTED_UP_TO:
        return column.estimated_rows
    return int(await database.scalar(sql.SQL("SELECT count(*) FROM {}").format(column.quoted_table)))


def _invalid(column: VectorColumn, index: VectorIndex) -> Finding:
    """Judge the remainder of a failed build; one that is ready is maintained by every write, for nothing."""
    found = _finding(column, index.name, f"index {index.name} is invalid: its build failed", Severity.ERROR)
    return replace(found, impacts=(*found.impacts, "each write maintains the invalid index")) if index.ready else found


def _missing(column: VectorColumn, rows: int) -> Finding:
    least = floor(column.dimensions)
    if rows < least:
        words = f"no index on {column.table}.{column.column}, and none needed below about {least:,} rows (now {rows:,})"
        return _finding(column, "", words, Severity.INFO)
    words = f"no index on {column.table}.{column.column} with about {rows:,} rows: every search reads them all"
    return _finding(column, "", words, Severity.ERROR if rows >= MANY_ROWS else Severity.WARNING)


def _finding(column: VectorColumn, index: str, symptom: str, severity: Severity) -> Finding:
    needed = severity is not Severity.INFO
    return Finding(
        code="VEC001",
        resource=Resource("column", column.name),
        symptom=symptom,
        cause="the index was never built" if not index else "a concurrent build failed half-way",
        severity=severity,
        role=Role.CAUSE if needed else Role.ADVICE,
        subject=index,
        group=column.name,
        impacts=("search is slow",) if needed else (),
        evidence=(
            Evidence(
                EvidenceKind.SQL,
                "pg_index",
                f"{len(column.vector_indexes)} vector indexes; planner: {column.estimated_rows:,} rows",
                Provenance.MEASURED,
            ),
        ),
        rule="without a valid index the planner can only scan",
        fixes=(
            FixOption(
                fix="create-vector-index",
                title=f"build an HNSW index on {column.table_name}.{column.column}, concurrently",
                applicability=Applicability.SAFE,
                reason="writes go on while it is built; undo drops it",
                arguments={
                    "table": column.table_name,
                    "column": column.column,
                    "replaces": f"{column.schema}.{index}" if index else "",
                },
                recommended=needed,
                tradeoff="each later write of a vector costs milliseconds more",
            ),
        ),
        validation="doctor check --select VEC001",
    )
