"""Two indexes serve the same similarity queries of one column, so each write pays for both.

## What it finds
Usable vector indexes on one column with the same method, operator class, expression and predicate, whatever their
parameters.

## Why it hurts
The planner uses one. The other costs its size in memory and on disk, and milliseconds of every write: an HNSW index
makes a batch of updates about thirty times as slow.

## How it is told from its look-alikes
Indexes with other operator classes, on a cast (`embedding::halfvec(768)`) or for part of the rows serve other queries.
An index that is still being built may be meant to take the place of the old one. What a partitioned table has twice is
told of the table, and not of each partition again; an index that is attached to one of the table is kept.

## How to fix
Drop the one that is scanned less, concurrently. The finding names it. Of a partitioned table PostgreSQL drops none
concurrently: that waits for every query of the table, and holds up those behind it, so set a `lock_timeout`.

## False positives
An old index that is kept until the new one has proved itself.
"""

from collections.abc import AsyncIterator, Iterable

from doctor.api import (
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Observation,
    Resource,
    Role,
    Severity,
    VectorColumn,
    VectorIndex,
    check,
    counted,
    drop_statement,
    vector_columns,
)


@check("VEC003", "vector-index-duplicate", severity=Severity.WARNING, tags=["live"])
async def vector_index_duplicate(database: Database) -> AsyncIterator[Finding | Observation]:
    """Group the usable indexes of each column by what they serve."""
    columns = await vector_columns(database)
    for column in columns:
        for kept, *others in _groups(column.vector_indexes):
            if own := [index for index in others if not index.attached]:
                yield _finding(column, kept, own)
    yield Observation(f"the indexes of {counted(len(columns), 'vector column')} compared")


def _groups(indexes: Iterable[VectorIndex]) -> list[list[VectorIndex]]:
    """Return the usable indexes in groups that serve the same queries, in each the one to keep first:
    one that its table's needs, else the most scanned."""
    found: dict[tuple[str, ...], list[VectorIndex]] = {}
    for index in indexes:
        if index.is_usable and index.definition:  # unknown while its table is locked
            found.setdefault(_served(index), []).append(index)
    return [
        sorted(same, key=lambda one: (not one.attached, -one.scans, one.bytes, one.name)) for same in found.values()
    ]


def _served(index: VectorIndex) -> tuple[str, ...]:
    """Return what decides which queries an index serves: all of its definition but its name and its parameters."""
    indexed = index.definition.partition(" USING ")[2].partition(" WITH (")[0].partition(" WHERE ")[0]
    return (index.method, *index.operator_classes, indexed.strip(), index.predicate or "")


def _finding(column: VectorColumn, kept: VectorIndex, others: list[VectorIndex]) -> Finding:
    same, names = [kept, *others], ", ".join(index.name for index in others)
    reason = "the statistics count scans since their last reset only"
    if column.partitioned:
        reason += ", and the drop locks the table and its partitions"
    return Finding(
        code="VEC003",
        resource=Resource("column", column.name),
        symptom=f"{names} on {column.table}.{column.column} serves what {kept.name} serves",
        cause="the same index was built twice",
        severity=Severity.WARNING,
        role=Role.ADVICE,
        subject=", ".join(sorted(index.name for index in same)),
        impacts=(f"{sum(index.bytes for index in others):,} bytes, and a part of every write",),
        evidence=tuple(
            Evidence(EvidenceKind.SQL, "pg_index", f"{counted(index.scans, 'scan')}: {index.definition}")
            for index in same[:5]
        ),
        fixes=(FixOption.by_hand(" ".join(map(drop_statement, others)), reason),),
        validation="doctor check --select VEC003",
    )
