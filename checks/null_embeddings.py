"""Rows have no vector, so search cannot find them.

## What it finds
NULLs in vector columns, per column: those of rows that are older than the chain's look-back (left over from a time
when embedding did not work), and those of recent rows that should have a vector by now.

## Why it hurts
`ORDER BY embedding <=> …` skips NULLs. The search answers 200 with nothing in it.

## How it is told from its look-alikes
Recent rows count only when they have passed every stage before the embedding and the queue is idle: a row that waits
for the threshold is not late. Where the queue or the chain is not known, recent rows are left alone unless no row of
the column has a vector at all; old ones are counted with the database alone. Rows with empty text cannot be embedded
and are counted apart. Where one kind of row (by `type`, `kind`, `source` and the like) has all its vectors and another
none, the hook embeds the wrong rows, and the finding says so. Old NULLs do not heal when the cause is repaired; they
need a backfill.

The count is exact up to 1 GB of heap, and beyond it where an index holds exactly the NULLs; else it is a sample of
5,000 pages; the finding says which. A column whose rows could not be counted in two seconds, that the role may not
read, or of which a policy hides rows is not called healthy: statistics alone miss a handful of NULLs.

Of a column that no stage of a chain fills, rows of the last ten minutes are recent, and the share decides: a warning up
to 5 %, an error beyond, critical where no row has a vector.

## How to fix
`doctor fix EMB001` embeds the rows in batches with the configured model (`backfill-embeddings`). It can be stopped
and run again. From which columns the text is made is read where the source has it embedded, or else guessed from their
names; the evidence says which, and `doctor.toml` may say it:

```toml
[[embeddings]]
table = "articles"            # or "schema.articles"
column = "embedding"          # the default
text = ["headline", "body"]   # a blank line between
```

## False positives
A column that is filled for some rows only, by design. Without a known queue: a table whose very first rows are still
under way.
"""

from collections.abc import AsyncIterator, Iterator, Sequence

from doctor.api import (
    NO_CHAIN,
    Applicability,
    Chain,
    CouldNotTellError,
    CountMethod,
    Database,
    EmbeddingCounts,
    EmbeddingText,
    EmbeddingTexts,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Gaps,
    Metric,
    Nats,
    NullPattern,
    Observation,
    Provenance,
    QueryTimedOut,
    Resource,
    Role,
    Severity,
    VectorColumn,
    chain_of,
    check,
    column_types,
    counted,
    embedding_counts,
    null_pattern,
    queue_is_idle,
    readable,
    same_table,
    vector_columns,
)

FEW = 0.05
"""Share of NULLs up to which a column that no chain fills is warned of: some rows may have none by design."""

NEEDED = (Resource("service", "models"), Resource("service", "worker"), Resource("service", "pgvector"))
"""Without any of these no new row gets a vector; of rows that are older than the look-back it says nothing, for what is
down now may have been up then."""


@check("EMB001", "null-embeddings", severity=Severity.ERROR, tags=["live"])
async def null_embeddings(
    database: Database, texts: EmbeddingTexts, chain: Chain | None = None, nats: Nats | None = None
) -> AsyncIterator[Finding | Observation]:
    """Count the NULLs of every vector column, by age."""
    idle = await _is_idle(chain, nats)
    columns = await vector_columns(database)
    gaps, seen, not_judged = Gaps("counted", "column"), list[EmbeddingCounts](), 0
    for name in texts.strangers(columns):
        gaps.add("[[embeddings]] in doctor.toml", f"{name} is no vector column")
    for column in sorted(columns, key=lambda column: not _is_of(chain, column)):
        if column.partition:
            continue
        own = chain_of(chain, column)
        at_rest = idle if own is chain else None
        with gaps.around(column.name):
            counts = await _counts(database, own, column, texts)
            pattern = await _pattern(database, own, counts)
            seen.append(counts)
            for reason in _doubts(counts):
                gaps.add(column.name, reason)
            if counts.old:
                yield _finding(own, counts, "left over", counts.old, Role.DAMAGE, pattern)
            if counts.recent and (at_rest or (at_rest is None and counts.nulls == counts.rows)):
                yield _finding(own, counts, "recent", counts.recent, Role.SYMPTOM, pattern)
            elif at_rest is None:
                not_judged += counts.recent
    for observation in _observations(seen, not_judged):
        yield observation
    gaps.tell()


async def _counts(database: Database, chain: Chain, column: VectorColumn, texts: EmbeddingTexts) -> EmbeddingCounts:
    if not column.can_select:
        raise CouldNotTellError(f"the role may not read it; GRANT SELECT ON {readable(column.table_name)} to it")
    return await embedding_counts(database, chain, column, texts)


def _doubts(counts: EmbeddingCounts) -> Iterator[str]:
    """Say why a column without a finding is not known to be healthy."""
    if counts.method is CountMethod.ESTIMATED:
        yield f"not counted in time; by the planner's statistics {counts.nulls:,} of {counts.rows:,} rows are NULL"
    if counts.column.rows_hidden:
        yield "row-level security may hide rows from this role"


def _observations(seen: Sequence[EmbeddingCounts], not_judged: int) -> Iterator[Observation]:
    rows = sum(counts.rows for counts in seen)
    if rows:
        about = "about " if any(counts.rows_estimated for counts in seen) else ""
        covered = rows - sum(counts.nulls for counts in seen)
        sampled = sum(counts.method is CountMethod.SAMPLED for counts in seen)
        how = f"; {counted(sampled, 'column')} sampled" if sampled else ""
        yield Observation(
            f"{about}{covered:,} of {rows:,} rows have a vector{how}", metrics=tuple(map(_coverage, seen))
        )
    empty = sum(counts.empty for counts in seen)
    if empty:
        told = f"{counted(empty, 'row')} without text need none"
        only = empty == sum(counts.nulls for counts in seen)
        yield Observation(told, rules_out="rows that nothing embeds" if only else "")
    if not_judged:
        yield Observation(f"{counted(not_judged, 'recent row')} without one may be under way: queue or chain unknown")


def _coverage(counts: EmbeddingCounts) -> Metric:
    """Return the share of a column's rows with text that have a vector; 1 where there are none."""
    due = counts.rows - counts.empty
    share = (counts.rows - counts.nulls) / due if due > 0 else 1.0
    return Metric("embedding_coverage_ratio", min(share, 1.0), f"column:{counts.column.name}")


async def _is_idle(chain: Chain | None, nats: Nats | None) -> bool | None:
    """Whether nothing is under way to the rows; None where that cannot be known."""
    if chain is None or nats is None or not nats.server.jetstream:
        return None
    return await queue_is_idle(nats, chain.queue_subject)


async def _pattern(database: Database, chain: Chain, counts: EmbeddingCounts) -> NullPattern:
    """Look for a pattern where some rows have a vector and others lack theirs."""
    if not 0 < counts.old + counts.recent < counts.rows:
        return NullPattern()
    try:
        return await null_pattern(database, chain, counts.column, await column_types(database, counts.column))
    except QueryTimedOut:  # the numbers stand without it
        return NullPattern()


def _is_of(chain: Chain | None, column: VectorColumn) -> bool:
    """Whether the chain names the column's table; what it names is counted first."""
    return chain is not None and any(same_table(stage.table, column.table_name) for stage in chain.stages)


def _finding(
    chain: Chain, counts: EmbeddingCounts, subject: str, nulls: int, role: Role, pattern: NullPattern
) -> Finding:
    column = counts.column
    left_over = role is Role.DAMAGE
    about = "about " if counts.rows_estimated else ""
    age = f", older than {_span(chain.lookback_hours)}," if counts.by_age else ""
    which = age if left_over else ", due for one,"
    return Finding(
        code="EMB001",
        resource=Resource("column", column.name),
        symptom=f"{about}{nulls:,} of {counted(counts.rows, 'row')} of {column.table}{which} have no {column.column}",
        cause=_cause(pattern, left_over=left_over),
        severity=_severity(chain, counts),
        role=role,
        stage=None if left_over else counts.stage,
        subject=subject,
        impacts=(f"search does not find {counted(nulls, 'row')} of {column.table}",),
        related=() if left_over else NEEDED,
        evidence=(
            Evidence(
                EvidenceKind.SQL,
                column.name,
                f"{about}{counts.rows:,} rows, {counts.nulls:,} NULL ({counts.empty:,} without text), {counts.method}"
                + ("" if counts.by_age else ", of any age")
                + _made_of(counts.text),
                Provenance.MEASURED if counts.method is CountMethod.EXACT else Provenance.ESTIMATED,
            ),
            *_seen(pattern, column),
        ),
        fixes=_backfill(counts) if left_over else (),
        validation="doctor check --select EMB001",
        metric=Metric("rows_without_vector", nulls, f"column:{column.name}"),
    )


def _span(hours: float) -> str:
    return f"{hours:g} h" if hours >= 1 else f"{hours * 60:g} min"


def _made_of(text: EmbeddingText | None) -> str:
    """Say from which columns the text is taken, and who says so."""
    if text is None:
        return "; no text column is known"
    return f"; text: {text}"


def _severity(chain: Chain, counts: EmbeddingCounts) -> Severity:
    """Return ERROR where the chain says that every row gets a vector; else let the share of old NULLs decide."""
    if chain is not NO_CHAIN or not counts.old:
        return Severity.ERROR
    if counts.method is CountMethod.ESTIMATED or counts.old <= FEW * (counts.rows - counts.empty):
        return Severity.WARNING
    return Severity.CRITICAL if counts.nulls == counts.rows else Severity.ERROR


def _cause(pattern: NullPattern, *, left_over: bool) -> str:
    if pattern.without:
        return f"nothing embeds rows whose {pattern.kind} is {' or '.join(pattern.without)}"
    return "the rows were stored while nothing embedded them" if left_over else "nothing embeds new rows"


def _seen(pattern: NullPattern, column: VectorColumn) -> tuple[Evidence, ...]:
    """Say when the vectors stopped coming, and for which kinds of rows they never came."""
    said = []
    if pattern.newest is not None:
        said.append(f"the newest row with a vector is of {pattern.newest}")
    if pattern.without:
        said.append(f"no row of {pattern.kind} {', '.join(pattern.without)}; all of {', '.join(pattern.with_all)}")
    return tuple(Evidence(EvidenceKind.SQL, column.name, text) for text in said)


def _backfill(counts: EmbeddingCounts) -> tuple[FixOption, ...]:
    column = counts.column
    if counts.text is None:
        how = f"say in doctor.toml from which columns {column.name} is made, under [[embeddings]]"
        return (FixOption.by_hand(how, "neither the source nor the names of the columns tell"),)
    if len(column.primary_key) != 1:
        how = f"give {column.table_name} a primary key of one column"
        return (FixOption.by_hand(how, "the backfill goes from key to key"),)
    return (
        FixOption(
            fix="backfill-embeddings",
            title=f"embed {counted(counts.old, 'row')} of {column.table_name} with the configured local model",
            applicability=Applicability.SAFE,
            reason="fills NULLs only, on a local model server; undo empties exactly these vectors again",
            arguments={"table": column.table_name, "column": column.column},
            recommended=True,
        ),
    )
