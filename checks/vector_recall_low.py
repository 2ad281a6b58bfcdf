"""A vector index misses many of the true nearest, so search leaves out what fits best.

## What it finds
With `doctor check --probe` only, because it reads whole tables: vector indexes that find less than 95 % of the ten
nearest. Searches are made from up to 20 stored vectors, each once without the index, which is exact, and once with it;
the finding says how many they were and how long it took.

## Why it hurts
An index answers fast and never says what it has missed. On 100,000 vectors in clusters, as those of texts are, HNSW
finds 99 % with its defaults and 93 % with half of them; on vectors without structure 17 to 90 % (measured on pgvector
0.8.5).

## How it is told from its look-alikes
Rows as near as the tenth count as found, so equal vectors are no loss. Tables below the number of rows from which the
planner uses an index are left out. What the source sets (`hnsw.ef_search`) is set here too. Each statement is read-only
and ends after 2 s, no search is begun after 6 s, and where not one exact search ends in time, the run is incomplete.

## How to fix
`SET LOCAL hnsw.ef_search` (`ivfflat.probes`) to the value with which enough was found. Where none does, build the index
with a larger `m` and `ef_construction`.

## False positives
Stored vectors stand for those of questions; these may lie elsewhere. 20 vectors are few: 95 % may be 92 or 98.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    OPT_IN,
    PROBE,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Gaps,
    Observation,
    Provenance,
    Recall,
    Resource,
    Severity,
    SimilarityQueries,
    VectorColumn,
    VectorIndex,
    check,
    counted,
    planner_floor,
    recall_of,
    usable_indexes,
    vector_columns,
)


@check(
    "VEC009",
    "vector-recall-low",
    severity=Severity.WARNING,
    tags=["live", "slow", PROBE, OPT_IN],
    timeout=30.0,
)
async def vector_recall_low(
    database: Database, queries: SimilarityQueries | None = None
) -> AsyncIterator[Finding | Observation]:
    """Search from stored vectors with each index and without it."""
    settings = queries.widest if queries else {}
    gaps = Gaps("compared", "index", "indexes")
    for column in await vector_columns(database):
        if column.partitioned or column.estimated_rows < planner_floor(column.dimensions):
            continue
        for index in usable_indexes(column):
            with gaps.around(index.name):  # too slow, or not to be read by this role
                recall = await recall_of(database, column, index, settings)
                if recall is None:
                    continue
                yield Observation(f"{index.name} finds {recall.share:.0%} of the nearest ({_method(recall, settings)})")
                if not recall.is_enough:
                    yield _finding(column, index, recall, settings)
    gaps.tell()


def _finding(column: VectorColumn, index: VectorIndex, recall: Recall, settings: dict[str, str]) -> Finding:
    return Finding(
        code="VEC009",
        resource=Resource("column", column.name),
        symptom=f"{index.name} finds {recall.share:.0%} of the nearest in {column.table}.{column.column}",
        cause="it looks at too few vectors, or was built with too few links for them",
        severity=Severity.WARNING,
        subject=index.name,
        group=index.name,
        impacts=("search leaves out rows that fit better than those it shows",),
        evidence=(
            Evidence(EvidenceKind.SQL, "exact searches", _method(recall, settings), Provenance.MEASURED),
            Evidence(EvidenceKind.SQL, "pg_index", index.definition),
        ),
        fixes=(_way_out(index, recall),),
        validation="doctor check --probe --select VEC009",
    )


def _method(recall: Recall, settings: dict[str, str]) -> str:
    said = ", ".join(f"{name} {value}" for name, value in sorted(settings.items()))
    where = f"with {said} as the source sets it" if said else "with the server's settings"
    return f"10 nearest of {counted(recall.vectors, 'stored vector')}, {where}, {recall.seconds:.1f} s"


def _way_out(index: VectorIndex, recall: Recall) -> FixOption:
    reason = "only you know how long a search may take"
    if recall.better is None:
        return FixOption.by_hand(f"build {index.name} anew with a larger m and ef_construction", reason)
    name, value, share = recall.better
    title = f"let {index.name} look further in each search's transaction, which finds {share:.0%}"
    return FixOption.by_hand(title, reason, f"SET LOCAL {name} = {value};")
