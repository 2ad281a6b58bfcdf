"""A vector index is made for another distance than the code orders by, so no search can use it.

## What it finds
Columns with a vector index in working order, none of which serves the distance of a query in the source: `ORDER BY
embedding <=> …` where the index has `vector_l2_ops`.

## Why it hurts
The index costs memory and every write, looks right in every list, and each search reads the whole table. IVFFlat makes
this mistake by itself: without an operator class it takes `vector_l2_ops`.

## How it is told from its look-alikes
The operators that an index serves are asked of the catalog, so indexes of other extensions count too. A query counts
for the column of the table, or alias, that it writes before the column, or else of the only table in it that has such
a column, or of any where it leaves the table to the program. Below the number of rows from which the
planner uses an index at all, no search is slower for it, and the index is only of no use.

## How to fix
`doctor fix VEC005` builds an index for the distance concurrently; undo drops it. The ones that serve no query of the
code stay: a person drops them. That nothing has scanned them proves nothing, since the statistics may have been reset,
and a replica counts its own scans; and the source may not hold every query.

## False positives
A query that runs once a night, for which nobody wants an index.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from doctor.api import (
    Applicability,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Observation,
    Resource,
    Role,
    Severity,
    SimilarityQueries,
    SimilarityQuery,
    VectorColumn,
    VectorIndex,
    check,
    counted,
    drop_statement,
    evidence_of,
    operators_ordering,
    planner_floor,
    usable_indexes,
    vector_columns,
)

_SCAN = Mechanism("VEC005", "VEC008", "no index is for the distance of the query", ("column",))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A distance of which no index of the column gives the order, and the queries that ask for it."""

    operator: str
    queries: tuple[SimilarityQuery, ...]
    useless: tuple[VectorIndex, ...]
    """The indexes that serve no query of the code."""


@check("VEC005", "vector-index-operator", severity=Severity.WARNING, tags=["live"], mechanisms=[_SCAN])
async def vector_index_operator(database: Database, queries: SimilarityQueries) -> AsyncIterator[Finding | Observation]:
    """Compare what the indexes of each column serve with what the source's queries order by."""
    known = await vector_columns(database)
    columns = [column for column in known if usable_indexes(column) and not column.partitioned]
    for column in columns:
        for unserved in _unserved(column, known, queries.queries):
            yield _finding(column, unserved)
    if not columns:
        return
    asked = counted(len(queries.queries), "query", "queries")
    yield Observation(f"{counted(len(columns), 'indexed vector column')} compared with {asked}")


def _unserved(
    column: VectorColumn, columns: tuple[VectorColumn, ...], queries: tuple[SimilarityQuery, ...]
) -> list[_Asked]:
    by_operator: dict[str, list[SimilarityQuery]] = {}
    for query in queries:
        for operator in operators_ordering(query.statement, column, columns):
            by_operator.setdefault(operator, []).append(query)
    indexes = usable_indexes(column)
    served = {operator for index in indexes for operator in index.operators}
    useless = tuple(index for index in indexes if by_operator.keys().isdisjoint(index.operators))
    return [_Asked(operator, tuple(by_operator[operator]), useless) for operator in sorted(by_operator.keys() - served)]


def _finding(column: VectorColumn, asked: _Asked) -> Finding:
    first = asked.queries[0]
    place, names = first.place, ", ".join(index.name for index in usable_indexes(column))
    needed = column.estimated_rows >= planner_floor(column.dimensions)
    return Finding(
        code="VEC005",
        resource=Resource("column", column.name),
        symptom=f"no index on {column.table}.{column.column} serves `{asked.operator}`, by which {place} orders",
        cause=f"{names} {'are' if ',' in names else 'is'} for another distance",
        severity=Severity.ERROR if needed else Severity.WARNING,
        role=Role.CAUSE if needed else Role.ADVICE,
        subject=asked.operator,
        group=column.name,
        impacts=("each search reads every row",) if needed else ("the index costs each write, for nothing",),
        evidence=(
            *map(evidence_of, asked.queries[:3]),
            *(Evidence(EvidenceKind.SQL, "pg_index", index.definition) for index in usable_indexes(column)[:3]),
        ),
        rule="pgvector: an index serves the distance of its operator class, and no other",
        fixes=tuple(_options(column, asked)),
        validation="doctor check --select VEC005",
    )


def _options(column: VectorColumn, asked: _Asked) -> Iterator[FixOption]:
    """Yield the build, which harms nothing, and the drop, which a person has to answer for."""
    yield FixOption(
        fix="replace-vector-index",
        title=f"build an HNSW index on {column.table_name}.{column.column} for `{asked.operator}`, concurrently",
        applicability=Applicability.SAFE,
        reason="writes go on while it is built, and undo drops it",
        arguments={
            "table": column.table_name,
            "column": column.column,
            "operator": asked.operator,
            "instead_of": [],
        },
        recommended=True,
    )
    if own := [index for index in asked.useless if not index.attached]:
        drop = " ".join(map(drop_statement, own))
        scans = counted(sum(index.scans for index in own), "scan")
        reason = f"{scans} since the statistics were last reset, and a replica counts its own"
        yield FixOption.by_hand(f"once that stands, and if nothing else searches by them: {drop}", reason)
