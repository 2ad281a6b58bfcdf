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
need a backfill. The count is exact up to 1 GB of heap, else a sample, and the finding says which.

## How to fix
`doctor fix EMB001` embeds the rows in batches with the configured model (`backfill-embeddings`). It can be stopped
and run again. It needs the chain in `doctor.toml`.

## False positives
A column that is filled for some rows only, by design. Without a known queue: a table whose very first rows are still
under way.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Applicability,
    Chain,
    CouldNotTellError,
    Database,
    DatabaseError,
    DatabaseUnreachable,
    EmbeddingCounts,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Nats,
    NullPattern,
    Observation,
    Provenance,
    Resource,
    Role,
    Severity,
    VectorColumn,
    check,
    column_types,
    counted,
    embedding_counts,
    null_pattern,
    queue_is_idle,
    vector_columns,
)

_NO_CHAIN = Chain(entry="", message_table="", stages=())
"""What a target without a chain is read by: the default name of the time column and the default look-back."""


@check("EMB001", "null-embeddings", severity=Severity.ERROR, tags=["live"])
async def null_embeddings(
    database: Database, chain: Chain | None = None, nats: Nats | None = None
) -> AsyncIterator[Finding | Observation]:
    """Count the NULLs of every vector column, by age."""
    idle = await _is_idle(chain, nats)
    chain = chain or _NO_CHAIN
    covered, total, not_judged = 0, 0, 0
    problems = []
    for column in sorted(await vector_columns(database), key=lambda column: not _is_of(chain, column)):
        if not column.can_select or column.partition:
            continue
        try:
            counts = await embedding_counts(database, chain, column)
            pattern = await _pattern(database, chain, counts)
        except DatabaseUnreachable:
            raise
        except DatabaseError as error:
            problems.append(f"{column.table_name}: {error}")
            continue
        total += counts.rows
        covered += counts.rows - counts.nulls
        if counts.old:
            yield _finding(chain, counts, "left over", counts.old, Role.DAMAGE, pattern)
        if counts.recent and (idle or (idle is None and counts.nulls == counts.rows)):
            yield _finding(chain, counts, "recent", counts.recent, Role.SYMPTOM, pattern)
        elif idle is None:
            not_judged += counts.recent
    if total:
        yield Observation(f"{covered} of {total} rows have a vector")
    if not_judged:
        yield Observation(f"{counted(not_judged, 'recent row')} without one may be under way: queue or chain unknown")
    if problems:
        raise CouldNotTellError(f"{len(problems)} tables could not be counted: {'; '.join(problems)}")


async def _is_idle(chain: Chain | None, nats: Nats | None) -> bool | None:
    """Whether nothing is under way to the rows; None where that cannot be known."""
    if chain is None or nats is None or not nats.server.jetstream:
        return None
    return await queue_is_idle(nats, chain.queue_subject)


async def _pattern(database: Database, chain: Chain, counts: EmbeddingCounts) -> NullPattern:
    """Look for a pattern where some rows have a vector and others lack theirs."""
    if not 0 < counts.old + counts.recent < counts.rows:
        return NullPattern()
    return await null_pattern(database, chain, counts.column, await column_types(database, counts.column))


def _is_of(chain: Chain, column: VectorColumn) -> bool:
    """Whether the chain names the column's table; what it names is counted first."""
    return any(stage.table in (column.table, column.table_name) for stage in chain.stages)


def _finding(
    chain: Chain, counts: EmbeddingCounts, subject: str, nulls: int, role: Role, pattern: NullPattern
) -> Finding:
    column = counts.column
    left_over = role is Role.DAMAGE
    which = f"older than {chain.lookback_hours:g} h, have" if left_over else "due for one, have"
    return Finding(
        code="EMB001",
        resource=Resource("column", column.name),
        symptom=f"{nulls} of {counted(counts.rows, 'row')} of {column.table}, {which} no {column.column}",
        cause=_cause(pattern, left_over=left_over),
        severity=Severity.ERROR,
        role=role,
        stage=None if left_over else counts.stage,
        subject=subject,
        impacts=(f"search does not find {counted(nulls, 'row')} of {column.table}",),
        related=(Resource("service", "models"), Resource("service", "worker"), Resource("service", "pgvector")),
        evidence=(
            Evidence(
                EvidenceKind.SQL,
                column.name,
                f"{counts.rows} rows, {counts.nulls} NULL ({counts.empty} without text), {counts.method}",
                Provenance.MEASURED if counts.method == "exact" else Provenance.ESTIMATED,
            ),
            *_seen(pattern, column),
        ),
        fixes=_backfill(chain, counts) if left_over else (),
        validation="doctor check --select EMB001",
    )


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


def _backfill(chain: Chain, counts: EmbeddingCounts) -> tuple[FixOption, ...]:
    column = counts.column
    if chain is _NO_CHAIN:
        how = f"describe the chain in doctor.toml, then doctor fix EMB001 fills {column.name}"
        return (FixOption.by_hand(how, "which rows are old enough to be filled is the chain's to say"),)
    if counts.text is None or len(column.primary_key) != 1:
        return ()
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
