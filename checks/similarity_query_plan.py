"""A similarity query is not served by the index that its column has, or comes back with rows missing.

## What it finds
Each query of the source that orders by a distance, as the server plans it (`EXPLAIN`), where the column has a vector
index in working order:

- the index is for another operator: `<->` on an index of `vector_cosine_ops`;
- no index can give that order: an expression, a function in place of the operator, a cast, `NULLS FIRST`;
- the index is used, and gives fewer rows than there are: a LIMIT above `hnsw.ef_search`, an OFFSET beyond it, a filter
  that is applied to the few nearest only.

## Why it hurts
An index that is not used costs memory and every write, and each search still reads the whole table. One that is used
gives 40 rows (`hnsw.ef_search`) and no more: page 5 is empty, and a filter that leaves one row in 200 finds nothing
while ten rows match. No error says so.

## How it is told from its look-alikes
Below the number of rows from which the planner uses an index, a scan is right and nothing is reported. A query that
the planner would serve with the index, and does not for its costs, is the planner's choice. Orders that can be told
without a server are VEC007's, a column without an index or with an invalid one is VEC001's. Rows are counted only
where the source itself sets none of pgvector's search settings, with a stored vector, against the exact answer; a query
is run only when it has nothing else to be filled in and calls nothing but functions that read.

## How to fix
Write the operator of the index, ascending, or build an index for the operator. For missing rows: `SET LOCAL
hnsw.ef_search` to at least LIMIT + OFFSET, `SET LOCAL hnsw.iterative_scan = strict_order` for filters, or a partial
index.

## False positives
A query that runs once a night, for which nobody wants an index. Settings of another role than the doctor's
(`ALTER ROLE … SET hnsw.ef_search`).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from doctor.api import (
    CouldNotTellError,
    Database,
    DatabaseError,
    DatabaseUnreachable,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    NotApplicableError,
    Observation,
    Planned,
    Provenance,
    Resource,
    Role,
    Severity,
    SimilarityQueries,
    SimilarityQuery,
    Statement,
    VectorColumn,
    Verdict,
    check,
    counted,
    evidence_of,
    identifier,
    is_not_understood,
    missing_rows,
    names_no_table,
    planned,
    resource_of,
    statement_of,
    usable_indexes,
    vector_columns,
)

OLDEST = 16
"""The first PostgreSQL that plans a query without its values (GENERIC_PLAN)."""

MOST = 50
"""Queries that are planned in one run; each costs a millisecond, or the time of an exact search where it is run."""

SHORT = 0.9
"""The share of the rows below which some are missing; an approximate index may miss one of a threshold's answer."""

_WHY = {
    Verdict.MISMATCH: (Severity.ERROR, "the index and the query are made for different distances"),
    Verdict.UNSERVED: (Severity.WARNING, "an index serves the operator itself, the nearest first"),
    Verdict.NO_LIMIT: (Severity.INFO, "it has no LIMIT, so it asks for every row"),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query of the source, over one table."""

    query: SimilarityQuery
    statement: Statement

    @property
    def place(self) -> str:
        return self.query.place


@check("VEC008", "similarity-query-plan", severity=Severity.WARNING, tags=["live"], timeout=20.0)
async def similarity_query_plan(queries: SimilarityQueries, database: Database) -> AsyncIterator[Finding | Observation]:
    """Have every similarity query of the source planned, and those that an index serves counted."""
    if int((database.server_version or "0").partition(".")[0]) < OLDEST:
        raise NotApplicableError(f"PostgreSQL {OLDEST} or newer plans a query without its values")
    columns = await vector_columns(database)
    is_set = bool(queries.settings)
    seen: list[Verdict] = []
    problems, not_understood = [], 0
    for asked in _asked(queries, columns)[:MOST]:
        try:
            found = await planned(database, asked.statement, columns)
            if found is None:
                continue
            seen.append(found.verdict)
            if finding := await _judged(database, asked, found, is_set=is_set):
                yield finding
        except DatabaseUnreachable:
            raise
        except DatabaseError as error:
            not_understood += is_not_understood(error)
            problems += [] if is_not_understood(error) else [f"{asked.place}: {error}"]
    if seen or not_understood:
        yield Observation(_words(seen, not_understood))
    if problems:
        raise CouldNotTellError(f"{counted(len(problems), 'query', 'queries')} not planned: {'; '.join(problems)}")


def _asked(queries: SimilarityQueries, columns: tuple[VectorColumn, ...]) -> list[_Asked]:
    """Return the queries that can be planned; one that leaves the table open, for each table that it may mean."""
    indexed = [column for column in columns if usable_indexes(column)]
    found: list[_Asked] = []
    for query in queries.queries:
        if query.order or not indexed:  # VEC007 says why, without a server
            continue
        fitting = indexed if names_no_table(query.statement) else indexed[:1]
        for column in fitting:
            table = identifier(column.table_name).as_string(None)
            statement = statement_of(query.statement, table, dict(query.values))
            if statement is not None and (len(fitting) == 1 or column.column in query.statement):
                found.append(_Asked(query, statement))
    return found


async def _judged(database: Database, asked: _Asked, found: Planned, *, is_set: bool) -> Finding | None:
    if found.verdict in _WHY:
        severity, cause = _WHY[found.verdict]
        why = found.reason or "every row is read and sorted"
        return _finding(asked, found, f"no index serves the query at {asked.place}: {why}", cause, found.key, severity)
    if found.verdict is not Verdict.USED or is_set:
        return None
    rows = await missing_rows(database, asked.statement, found.column)
    if rows is None or rows[0] > SHORT * rows[1] or rows[0] == rows[1]:
        return None
    symptom = f"the query at {asked.place} gives {counted(rows[0], 'row')} of {rows[1]}"
    return _finding(asked, found, symptom, "the index looks at the few nearest only", "", Severity.ERROR)


def _finding(asked: _Asked, found: Planned, symptom: str, cause: str, key: str, severity: Severity) -> Finding:
    missing = not key
    how = (
        "set hnsw.ef_search to LIMIT + OFFSET, or hnsw.iterative_scan for the filter, before the query"
        if missing
        else f"order {asked.place} by the operator of the index, ascending, with a LIMIT"
    )
    return Finding(
        code="VEC008",
        resource=resource_of(asked.query),
        symptom=symptom,
        cause=cause,
        severity=severity,
        role=Role.ADVICE if severity is Severity.INFO else Role.CAUSE,
        subject=f"{found.column.name} {'rows' if missing else 'plan'}",
        group=asked.place,
        impacts=("search leaves out rows that match",) if missing else ("each search reads every row",),
        related=(Resource("column", found.column.name),),
        evidence=(
            evidence_of(asked.query),
            Evidence(
                EvidenceKind.SQL,
                "counted with and without the index, from a stored vector" if missing else "EXPLAIN, scan and sort off",
                symptom if missing else f"ORDER BY {key}",
                Provenance.MEASURED,
            ),
        ),
        rule="pgvector: an index gives at most hnsw.ef_search rows, and filters come after it" if missing else "",
        fixes=(FixOption.by_hand(how, "only you know what the query is for"),),
        validation="doctor check --select VEC008",
    )


def _words(seen: list[Verdict], not_understood: int) -> str:
    numbers = ", ".join(f"{seen.count(verdict)} {verdict.value}" for verdict in Verdict if verdict in seen)
    words = f"{counted(len(seen), 'similarity query', 'similarity queries')} planned{f': {numbers}' if numbers else ''}"
    return f"{words}; {not_understood} not understood by this database" if not_understood else words
