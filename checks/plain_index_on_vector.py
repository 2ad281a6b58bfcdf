"""An ordinary index holds a vector column: no search uses it, and it may refuse every vector.

## What it finds
A btree or another index that is none for similarity, with a vector column among its columns.

## Why it hurts
`CREATE INDEX … (embedding)` is accepted, and whoever looks for "an index on embedding" finds one. No similarity query
can use it. A row of a btree has at most 2,704 bytes: from 673 dimensions on, each insert of a vector fails with
`index row size … exceeds btree version 4 maximum 2704`.

## How it is told from its look-alikes
The access method is asked of the catalog. An index on an expression, such as `vector_dims(embedding)`, holds no vector;
nor does one for the rows `WHERE embedding IS NULL`, which makes a backfill quick.

## How to fix
`DROP INDEX CONCURRENTLY` it. Where search needs an index, VEC001 offers one.

## False positives
None known: not even equality of vectors is looked for in practice.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Observation,
    Resource,
    Severity,
    VectorColumn,
    VectorIndex,
    check,
    counted,
    readable,
    vector_columns,
)

LONGEST_ROW = 2_704
"""Bytes of an index row of a btree, version 4 (PostgreSQL 18, pages of 8 kB); the message of error 54000 names it."""

HEADER = 16
NUMBER = {"vector": 4, "halfvec": 2}
"""Bytes of the headers of an index row and of a vector, and of each number by type (pgvector 0.8)."""


@check("VEC002", "plain-index-on-vector", severity=Severity.WARNING, tags=["live"])
async def plain_index_on_vector(database: Database) -> AsyncIterator[Finding | Observation]:
    """Look for the access methods of all indexes on vector columns."""
    columns = await vector_columns(database)
    for column in columns:
        for index in column.indexes:
            if index.holds_column and not index.is_vector_index and not index.finds_nulls:
                yield _finding(column, index)
    yield Observation(f"the indexes of {counted(len(columns), 'vector column')} looked at")


def _finding(column: VectorColumn, index: VectorIndex) -> Finding:
    length = HEADER + NUMBER.get(column.type, 0) * (column.dimensions or 0)
    refuses = index.method == "btree" and length > LONGEST_ROW
    name = readable(index.full_name)
    says = f"and refuses vectors of {column.dimensions} dimensions" if refuses else "which no search can use"
    return Finding(
        code="VEC002",
        resource=Resource("column", column.name),
        symptom=f"index {index.name} on {column.table}.{column.column} is a {index.method}, {says}",
        cause="an index was created on the column without a method for vectors",
        severity=Severity.ERROR if refuses else Severity.WARNING,
        subject=index.name,
        group=column.name,
        impacts=(
            f"each insert of a vector fails: {length:,} bytes, and {LONGEST_ROW:,} are allowed"
            if refuses
            else "each write maintains an index that serves nothing",
        ),
        evidence=(Evidence(EvidenceKind.SQL, "pg_index", index.definition),),
        rule="PostgreSQL: only hnsw, ivfflat and the like order by distance",
        fixes=(FixOption.by_hand(f"DROP INDEX CONCURRENTLY {name};", "only you know whether something else needs it"),),
        validation="doctor check --select VEC002",
    )
