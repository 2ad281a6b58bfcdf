"""A vector column has no usable index.

## What it finds
A column of a pgvector type without an HNSW or IVFFlat index, or with one that is invalid because its build failed. Of a
partitioned table each partition is looked at.

## Why it hurts
Every similarity query reads every row. An invalid index is never used and may still slow every write.

## How it is told from its look-alikes
Below about 2,000 rows (384 dimensions), 3,000 (768) or 5,000 (1024 and more) the planner ignores the index even where
it exists (measured on PostgreSQL 18 with pgvector 0.8.5), so its absence is an information there and never the reason
why search finds nothing. An index that is being built is not invalid, nor is that of a partitioned table which waits
for its partitions. A btree on a vector column is no vector index. A table that was never analysed, such as a restored
one, has no number of rows yet: up to 256 MB they are counted, beyond that they are estimated from a part of its pages.

## How to fix
`doctor fix VEC001` builds it with `CREATE INDEX CONCURRENTLY`, for the distance by which the code orders, and shows the
same as a migration of Alembic. Nothing is built where none is needed. An invalid index is built anew as it was defined.
A build is refused while a transaction has been open for a minute, since it would wait for that one at its end.

HNSW's parameters go by the number of rows; `doctor.toml` may say others:

| rows | m | ef_construction |
|---|---|---|
| up to 1,000 | 16 | 64 |
| up to 100,000 | 32 | 128 |
| more | 48 | 200 |

More links and a longer search for them find more of the nearest rows, and cost time at the build and at each write. The
memory counts too: 100,000 rows of 384 dimensions took 155 s with 64 MB and 33 s with 1 GB (16 / 64, one core).
Measured with 20,000 such rows, on one core, in processor time; the recall of ten rows at `hnsw.ef_search` 40, where
vectors lie in clusters, as those of texts do, and where they are random, which is the hardest that there is:

| m / ef_construction | build | index | update of a vector | recall, clusters | recall, random |
|---|---|---|---|---|---|
| 8 / 32 | 2 s | 39 MB | 0.2 ms | 0.974 | 0.11 |
| 16 / 64 | 4 s | 39 MB | 0.3 ms | 1.000 | 0.21 |
| 32 / 128 | 17 s | 40 MB | 1.3 ms | 1.000 | 0.45 |
| 48 / 200 | 38 s | 52 MB | 2.2 ms | 1.000 | 0.50 |

So where `doctor check --select VEC009 --probe` finds enough with 16 / 64, more is not worth its time.

```toml
[vector_index]
memory = "2GB"          # for one build, at most; else a quarter of the machine's, where that is known

[[vector_index.hnsw]]   # for tables of any size; with `rows = 100_000`, for those up to it
m = 16
ef_construction = 64
```

## False positives
A table that is always searched with a filter that leaves few rows.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from doctor.api import (
    Applicability,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Gaps,
    Observation,
    Provenance,
    Resource,
    Role,
    Severity,
    SimilarityQueries,
    VectorColumn,
    VectorIndex,
    check,
    counted,
    not_indexable,
    operators_ordering,
    parts_of,
    planner_floor,
    sql,
    vector_columns,
)

COUNTED_UP_TO = 1 << 28
"""Bytes of heap up to which the rows of a table that was never analysed are counted."""

SAMPLED = 1 << 25
"""Bytes of the heap that are read of a larger one: about 4,096 pages, a standard error of 1.6 percent (1 / √4096)."""

COSINE = "<=>"

SMALL = 1 << 24
"""Bytes of heap that are counted at any time: the planner's number lags behind, and counting takes milliseconds."""

MANY_ROWS = 50_000
"""From here on a sequential scan takes longer than a person waits (1536 dimensions: about 0.2 s)."""


@check("VEC001", "vector-index-missing", severity=Severity.WARNING, tags=["live"])
async def vector_index_missing(
    database: Database, queries: SimilarityQueries | None = None
) -> AsyncIterator[Finding | Observation]:
    """Judge the indexes of every vector column by the number of its rows."""
    found = await vector_columns(database)
    columns = [column for column in found if not column.partition]
    gaps = Gaps("counted", "column")
    for column in columns:
        parts = parts_of(column, found)
        broken = [(part, index) for part in parts for index in part.vector_indexes if index.is_broken]
        for part, index in broken:
            yield _invalid(part, index)
        bare = [part for part in parts if not any(_is_index(index) for index in part.vector_indexes)]
        with gaps.around(column.table_name):
            if bare:
                rows = {part.table_name: await _rows(database, part) for part in bare}
                yield _missing(column, rows, len(parts), _operator(column, found, queries))
    indexed = sum(all(map(_is_served, parts_of(column, found))) for column in columns)
    yield Observation(f"{indexed} of {len(columns)} vector columns indexed")
    gaps.tell()


def _is_index(index: VectorIndex) -> bool:
    """Whether an index is usable or becomes so, or has a finding of its own."""
    return index.is_usable or index.building or index.is_broken


def _is_served(column: VectorColumn) -> bool:
    return any(index.is_usable for index in column.vector_indexes)


def _operator(column: VectorColumn, columns: tuple[VectorColumn, ...], queries: SimilarityQueries | None) -> str:
    """Return the distance for which an index is wanted: the one that most queries order by, else the cosine's."""
    known = () if queries is None else queries.queries
    asked = [operator for query in known for operator in operators_ordering(query.statement, column, columns)]
    return max(asked, key=asked.count, default=COSINE)


async def _rows(database: Database, column: VectorColumn) -> int:
    """Return the number of rows: the planner's, or counted where that is quick or there is none, as far as it is."""
    if not column.never_analyzed and column.heap_bytes > SMALL:
        return column.estimated_rows
    if column.heap_bytes <= COUNTED_UP_TO:
        return int(await database.scalar(sql.SQL("SELECT count(*) FROM {}").format(column.quoted_table)))
    percent = min(max(round(100 * SAMPLED / column.heap_bytes, 4), 0.0001), 100)
    query = sql.SQL("SELECT count(*) FROM {} TABLESAMPLE SYSTEM ({}) REPEATABLE (0)")
    sampled = await database.scalar(query.format(column.quoted_table, sql.Literal(percent)))
    return round(int(sampled) * 100 / percent)


def _invalid(column: VectorColumn, index: VectorIndex) -> Finding:
    """Judge the remainder of a failed build; one that is ready is maintained by every write, for nothing."""
    name = index.full_name
    option = FixOption(
        fix="rebuild-vector-index",
        title=f"build index {name} anew, concurrently, as it is defined",
        applicability=Applicability.SAFE,
        reason="nothing uses it now, and writes go on while it is built; undo drops it",
        arguments={"table": column.table_name, "column": column.column, "index": name},
        recommended=True,
    )
    found = _finding(column, f"index {index.name} is invalid: its build failed", Severity.ERROR, option)
    found = replace(found, subject=index.name, cause="a concurrent build failed half-way")
    return replace(found, impacts=(*found.impacts, "each write maintains the invalid index")) if index.ready else found


def _missing(column: VectorColumn, bare: dict[str, int], parts: int, operator: str) -> Finding:
    """Judge a column by its tables without index (name → rows); ``parts`` is how many tables it has.

    Beside a large partition, the small ones are none of the finding.
    """
    least = planner_floor(column.dimensions)
    large = {name: rows for name, rows in bare.items() if rows >= least}
    concerned = large or bare
    most = max(concerned.values())
    place = f"{column.table}.{column.column}"
    if len(concerned) < parts:
        place = f"{counted(len(concerned), 'partition')} of {parts} of {place}"
    if not large:
        words = f"no index on {place}, and none needed below about {least:,} rows (now {most:,})"
        return _finding(column, words, Severity.INFO, _build(column, operator, []))
    words = f"no index on {place} with about {most:,} rows: every search reads them all"
    objection = not_indexable(column, operator)
    by_hand = objection and FixOption.by_hand(objection, "only you know which queries there are")
    option = by_hand or _build(column, operator, sorted(large))
    found = _finding(column, words, Severity.ERROR if most >= MANY_ROWS else Severity.WARNING, option)
    return replace(found, subject="large partitions" if column.partitioned else "")


def _build(column: VectorColumn, operator: str, large: list[str]) -> FixOption:
    """Return the repair, which is recommended where it serves a ``large`` table."""
    return FixOption(
        fix="create-vector-index",
        title=f"build an HNSW index on {column.table_name}.{column.column}, concurrently",
        applicability=Applicability.SAFE,
        reason="writes go on while it is built; undo drops it",
        arguments={
            "table": column.table_name,
            "column": column.column,
            "operator": operator,
            "partitions": [*large] if column.partitioned else None,
        },
        recommended=bool(large),
        tradeoff="each later write of a vector costs milliseconds more",
    )


def _finding(column: VectorColumn, symptom: str, severity: Severity, option: FixOption) -> Finding:
    needed = severity is not Severity.INFO
    planner = "never analysed" if column.never_analyzed else f"planner: {column.estimated_rows:,} rows"
    return Finding(
        code="VEC001",
        resource=Resource("column", column.name),
        symptom=symptom,
        cause="the index was never built",
        severity=severity,
        role=Role.CAUSE if needed else Role.ADVICE,
        group=column.name,
        impacts=("search is slow",) if needed else (),
        evidence=(
            Evidence(
                EvidenceKind.SQL,
                "pg_index",
                f"{len(column.vector_indexes)} vector indexes; {planner}",
                Provenance.MEASURED,
            ),
        ),
        rule="without a valid index the planner can only scan",
        fixes=(option,),
        validation="doctor check --select VEC001",
    )
