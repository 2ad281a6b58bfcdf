"""A similarity query is not served by the index that its column has, or comes back with rows missing.

## What it finds
Each query that orders by a distance, as the server plans it (`EXPLAIN`, with and without scan and sort), where the
column has a vector index in working order:

- the index is for another operator: `<->` on an index of `vector_cosine_ops`;
- no index can give that order: an expression, a function in place of the operator, a cast, `NULLS FIRST`;
- the index is used, and gives less than 90 % of the rows that there are: a LIMIT above `hnsw.ef_search`, an OFFSET
  beyond it, a filter that is applied to the few nearest only.

Queries are texts of the source, what SQLAlchemy, SQLModel and Django make of the source's calls, and the `[[queries]]`
of `doctor.toml`, with a `name`, the `sql`, and `values` for placeholders that only you can fill.

## Why it hurts
An index that is not used costs memory and every write, and each search still reads the whole table. One that is used
gives 40 rows (`hnsw.ef_search`) and no more: page 5 is empty, and a filter that leaves one row in 200 finds nothing
while ten rows match. No error says so.

## How it is told from its look-alikes
Below 2,000 (384 dimensions), 3,000 (768) or 5,000 rows the planner itself prefers a scan (measured on pgvector 0.8.5),
and nothing is reported. A query that it would serve with the index, and does not for its costs, is the planner's
choice. Orders that can be told without a server are VEC007's, a column without a working index is VEC001's. Rows are
counted with a stored vector, against the exact answer; a filter `column = …` gets a stored value. What has anything
else to be filled in, or calls what may do more than read, is planned and not run. Each statement is read-only and ends
after 2 s. What the source sets near the query (`hnsw.ef_search`) is set for it, and where only the program knows the
value, nothing is counted.

## How to fix
Write the operator of the index, ascending, or build an index for the operator. For a LIMIT or OFFSET: `SET LOCAL
hnsw.ef_search` to at least their sum. For a filter: `SET LOCAL hnsw.iterative_scan = strict_order` (pgvector 0.8), an
index on the filter's column, or a partial index.

## False positives
A query that runs once a night, for which nobody wants an index. Settings of another role than the doctor's
(`ALTER ROLE … SET hnsw.ef_search`).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from doctor.api import (
    ITERATIVE,
    OLDEST_SERVER,
    Answer,
    Database,
    DatabaseError,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Gaps,
    NotApplicableError,
    Observation,
    Planned,
    Provenance,
    QueryTimedOut,
    Resource,
    Role,
    Severity,
    SimilarityQueries,
    SimilarityQuery,
    Statement,
    VectorColumn,
    Verdict,
    answer,
    check,
    counted,
    evidence_of,
    identifier,
    is_not_understood,
    major_version,
    names_no_table,
    planned,
    resource_of,
    statement_of,
    usable_indexes,
    vector_columns,
)

MOST = 50
"""Queries that are planned in one run; each costs a millisecond, or the time of an exact search where it is run."""

SHORT = 0.9
"""The share of the rows below which some are missing; an approximate index may miss one of a threshold's answer."""

WIDEST = 1_000
"""The largest `hnsw.ef_search` that pgvector takes."""

NAMED = 3
"""Places that an observation names."""

_WHY = {
    Verdict.MISMATCH: (Severity.ERROR, "the index and the query are made for different distances"),
    Verdict.UNSERVED: (Severity.WARNING, "an index serves the operator itself, the nearest first"),
    Verdict.NO_LIMIT: (Severity.INFO, "it has no LIMIT, so it asks for every row"),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query over one table."""

    query: SimilarityQuery
    statement: Statement

    @property
    def place(self) -> str:
        return self.query.place


@dataclass(slots=True)
class _Seen:
    """What became of the queries: the places by verdict, and of those that could not be planned, run or counted."""

    verdicts: dict[Verdict, list[str]] = field(default_factory=dict)
    without_index: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    not_understood: list[str] = field(default_factory=list)


@check("VEC008", "similarity-query-plan", severity=Severity.WARNING, tags=["live"], timeout=20.0)
async def similarity_query_plan(queries: SimilarityQueries, database: Database) -> AsyncIterator[Finding | Observation]:
    """Have every similarity query planned, and those that an index serves counted."""
    columns = await vector_columns(database)
    if major_version(database) < OLDEST_SERVER:
        raise NotApplicableError(f"PostgreSQL {OLDEST_SERVER} or newer plans a query without its values")
    seen, gaps = _Seen(), Gaps("judged", "query", "queries")
    to_plan = _asked(queries, columns, seen)
    for asked in to_plan[:MOST]:
        with gaps.around(asked.place):
            if finding := await _examined(database, asked, columns, queries, seen):
                yield finding
    if words := _words(seen, queries.unresolved, len(to_plan) - MOST):
        yield Observation(words)
    gaps.tell()


def _asked(queries: SimilarityQueries, columns: tuple[VectorColumn, ...], seen: _Seen) -> list[_Asked]:
    """Return the queries that can be planned; one that leaves the table open, for each table that it may mean."""
    indexed = [column for column in columns if usable_indexes(column)]
    found: list[_Asked] = []
    for query in queries.queries:
        if query.order:  # VEC007 says why, without a server
            continue
        if not indexed:
            seen.without_index.append(query.place)
            continue
        fitting = indexed if names_no_table(query.statement) else indexed[:1]
        for column in fitting:
            table = identifier(column.table_name).as_string(None)
            statement = statement_of(query.statement, table, dict(query.values))
            if statement is None:
                seen.incomplete.append(query.place)
            elif len(fitting) == 1 or column.column in query.statement:
                found.append(_Asked(query, statement))
    return found


async def _examined(
    database: Database, asked: _Asked, columns: tuple[VectorColumn, ...], queries: SimilarityQueries, seen: _Seen
) -> Finding | None:
    """Return what is wrong with a query; None where nothing is, or the server does not understand it."""
    try:
        found = await planned(database, asked.statement, columns)
        if found is None:
            return None
        seen.verdicts.setdefault(found.verdict, []).append(asked.place)
        return await _judged(database, asked, found, queries, seen)
    except DatabaseError as error:
        if not is_not_understood(error):
            raise
        seen.not_understood.append(asked.place)
        return None


async def _judged(
    database: Database, asked: _Asked, found: Planned, queries: SimilarityQueries, seen: _Seen
) -> Finding | None:
    if found.verdict in _WHY:
        severity, cause = _WHY[found.verdict]
        why = found.reason or "every row is read and sorted"
        return _finding(asked, found, f"no index serves the query at {asked.place}: {why}", cause, severity)
    settings = queries.settings_of(asked.query)
    # Without its values the planner may choose otherwise than with them, and applications send them.
    may_be_used = found.verdict is Verdict.USED or (found.verdict is Verdict.CHOICE and asked.statement.bound)
    if not may_be_used or settings is None:
        return None
    try:
        rows = await answer(database, asked.statement, found, settings)
    except QueryTimedOut:
        seen.slow.append(asked.place)
        return None
    if rows is None:
        seen.not_run.append(asked.place)
    if rows is None or rows.given > SHORT * rows.exact or rows.given == rows.exact:
        return None
    symptom = f"the query at {asked.place} gives {counted(rows.given, 'row')} of {rows.exact}"
    return _finding(asked, found, symptom, "the index looks at the few nearest only", Severity.ERROR, rows)


def _finding(
    asked: _Asked, found: Planned, symptom: str, cause: str, severity: Severity, rows: Answer | None = None
) -> Finding:
    if rows is None:
        measured = ("EXPLAIN, scan and sort off", f"ORDER BY {found.key}")
        option = FixOption.by_hand(
            f"order {asked.place} by the operator of the index, ascending, with a LIMIT",
            "only you know what the query is for",
        )
    else:
        measured = ("counted with and without the index, from a stored vector", _counts(rows))
        option = _way_out(asked, found, rows)
    return Finding(
        code="VEC008",
        resource=resource_of(asked.query),
        symptom=symptom,
        cause=cause,
        severity=severity,
        role=Role.ADVICE if severity is Severity.INFO else Role.CAUSE,
        subject=f"{found.column.name} {'plan' if rows is None else 'rows'}",
        group=asked.place,
        impacts=("each search reads every row",) if rows is None else ("search leaves out rows that match",),
        related=(Resource("column", found.column.name),),
        evidence=(evidence_of(asked.query), Evidence(EvidenceKind.SQL, *measured, Provenance.MEASURED)),
        rule="" if rows is None else "pgvector: an index gives at most hnsw.ef_search rows, and filters come after it",
        fixes=(option,),
        validation="doctor check --select VEC008",
    )


def _counts(rows: Answer) -> str:
    filters = f"; stored values in {', '.join(rows.filled)}" if rows.filled else ""
    iterating = "" if rows.iterating is None else f", {rows.iterating} with an iterative scan"
    return f"{counted(rows.given, 'row')} with the index, {rows.exact} without it{iterating}{filters}"


def _way_out(asked: _Asked, found: Planned, rows: Answer) -> FixOption:
    """Return how the missing rows come back, with the setting that was measured to do it."""
    reason = "only you know what the query may cost"
    method = found.index.method if found.index else ""
    name, value = ITERATIVE.get(method, ("", ""))
    reach = asked.statement.reach
    if method == "hnsw" and not found.is_filtered and reach is not None and reach <= WIDEST:
        title = f"let the index give LIMIT + OFFSET rows to {asked.place}, in its transaction"
        return FixOption.by_hand(title, reason, f"SET LOCAL hnsw.ef_search = {reach};")
    if rows.iterating is not None and rows.iterating > rows.given:
        words = ", or give its filter a partial index" if found.is_filtered else ""
        title = f"let the index go on until the LIMIT of {asked.place} is filled, in its transaction{words}"
        return FixOption.by_hand(title, reason, f"SET LOCAL {name} = {value};")
    return FixOption.by_hand(
        f"let the index look further before {asked.place}: hnsw.ef_search to LIMIT + OFFSET, ivfflat.probes to more,"
        " or a partial index for the filter",
        reason,
    )


def _words(seen: _Seen, unresolved: tuple[str, ...], beyond: int) -> str:
    groups = (
        *((verdict.value, places) for verdict, places in seen.verdicts.items()),
        ("without a vector index to plan with", seen.without_index),
        ("with parts that only the program knows", list(dict.fromkeys(seen.incomplete))),
        ("not run", seen.not_run),
        ("not counted within 2 s", seen.slow),
        ("not understood by this database", seen.not_understood),
        ("of a table that the source does not show", list(unresolved)),
    )
    parts = [f"{len(places)} {what} ({_named(places)})" for what, places in groups if places]
    parts += [f"{beyond} more not planned"] if beyond > 0 else []
    return f"similarity queries: {', '.join(parts)}" if parts else ""


def _named(places: list[str]) -> str:
    more = f", +{len(places) - NAMED} more" if len(places) > NAMED else ""
    return f"{', '.join(places[:NAMED])}{more}"
