"""Which rows of a vector column lack their vector, of those that have a text to compute it from.

Errors:
    NotCountedError (a DatabaseError): no way of counting was quick enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from doctor.chain import Chain
from doctor.chain_progress import passed_before
from doctor.embedding_texts import EmbeddingText, EmbeddingTexts
from doctor.late import sql
from doctor.resources.catalog import VectorColumn, tables_like
from doctor.resources.database import Database, DatabaseError, QueryTimedOut

EMBEDDING_MODEL_VARIABLES = ("OLLAMA_EMBEDDING_MODEL", "EMBEDDING_MODEL")
"""Variables of the environment that name the model by which the target embeds, the first one that is set counts."""

EXACT_UP_TO = 1 << 30
"""Bytes of heap up to which NULLs are counted exactly; a vector of 500 or more dimensions lies outside the heap
(TOAST)."""

SAMPLE_PAGES = 5_000
"""Pages of a larger table in which NULLs are counted: 40 MB, whatever its size."""

PAGE_BYTES = 8192

NO_CHAIN = Chain(entry="", message_table="", stages=(), lookback_hours=10 / 60)
"""What a column that no chain fills is read by. A row without a vector is under way for ten minutes at most: what
embeds on its own embeds at once, and a queue that is longer than that is a finding."""

TIME_COLUMNS = ("created_at", "inserted_at", "received_at", "created", "created_on", "date_created", "added_at")
"""Names under which tables keep the time of a row's arrival, likeliest first, where no chain says it."""

SMALL_SHARE = 0.01
"""Share of a smaller table that is sampled when it could not be counted in time."""

_COUNT = """
SELECT count(*) AS rows,
       count(*) FILTER (WHERE {column} IS NULL) AS nulls,
       count(*) FILTER (WHERE {column} IS NULL AND {blank}) AS empty,
       count(*) FILTER (WHERE {column} IS NULL AND NOT {blank} AND NOT {recent}) AS old,
       count(*) FILTER (WHERE {column} IS NULL AND NOT {blank} AND {recent} AND {due}) AS recent
FROM {table} {part}
"""

_Parts: TypeAlias = Mapping[str, "sql.Composable"]
"""What the question is composed of, by the names in it."""


class NotCountedError(DatabaseError):
    """Nothing is known of a column's NULLs: no way of counting was quick enough, and there are no statistics."""


class CountMethod(StrEnum):
    """How NULLs were counted. ``ESTIMATED`` is the planner's statistics: nothing of the table was read."""

    EXACT = "exact"
    SAMPLED = "sampled"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class EmbeddingCounts:
    """The NULLs of one column; ``stage`` is the stage that fills it.

    ``rows`` is the planner's estimate where ``rows_estimated``, although the NULLs may be exact. Where they could not
    be split ``by_age``, for want of a time column or because they are estimated, all are ``old``.
    """

    column: VectorColumn
    rows: int
    nulls: int
    empty: int
    old: int
    recent: int
    method: CountMethod
    rows_estimated: bool
    by_age: bool
    stage: str | None
    text: EmbeddingText | None


def chain_of(chain: Chain | None, column: VectorColumn) -> Chain:
    """Return the chain that fills a column, whose look-back and stages count for its rows; else :data:`NO_CHAIN`."""
    filled = chain is not None and chain.stage_of_column(column.table_name, column.column) is not None
    return chain if chain is not None and filled else NO_CHAIN


async def embedding_counts(
    database: Database, chain: Chain, column: VectorColumn, texts: EmbeddingTexts | None = None
) -> EmbeddingCounts:
    """Count the NULLs of a column, split into left over and due now.

    Recent means within the chain's look-back, or the ten minutes of :data:`NO_CHAIN`. A recent row is due when it has
    passed every stage before the one that fills the column. Without a time column every NULL counts as left over.

    Raises:
        UnknownTextError: the configured text is not in the table.
        NotCountedError: it could not be counted in time, and there are no statistics.
        DatabaseError: the question could not be answered.
    """
    types = await column_types(database, column)
    text = (texts or EmbeddingTexts()).of(column, types)
    stage = chain.stage_of_column(column.table_name, column.column)
    in_chain = stage is not None and chain.is_of_messages(stage)
    parts = {
        "table": column.quoted_table,
        "column": sql.Identifier(column.column),
        "blank": text.is_blank if text else sql.SQL("false"),
        "recent": recent_rows(chain, types),
        "due": passed_before(chain, stage) if stage and in_chain else sql.SQL("true"),
    }
    counts = await _counts(database, column, parts)
    by_age = time_column(chain, types) is not None and counts.method is not CountMethod.ESTIMATED
    return replace(counts, by_age=by_age, stage=stage.name if stage else None, text=text)


async def _counts(database: Database, column: VectorColumn, parts: _Parts) -> EmbeddingCounts:
    """Count in the most exact way that is quick enough: each that is not gives way to the next."""
    ways = [_sampled]
    if column.has_index_of_nulls and not column.never_analyzed:
        ways.insert(0, _by_index)
    if column.heap_bytes <= EXACT_UP_TO:
        ways.insert(0, _exact)
    for way in ways:
        with suppress(QueryTimedOut):
            if (counts := await way(database, column, parts)) is not None:
                return counts
    if column.never_analyzed or column.null_fraction is None:
        raise NotCountedError("neither rows nor statistics could be read in time; run ANALYZE, or look again later")
    nulls = round(column.estimated_rows * column.null_fraction)
    numbers = {"rows": column.estimated_rows, "nulls": nulls, "empty": 0, "old": nulls, "recent": 0}
    return _made(column, numbers, CountMethod.ESTIMATED)


async def _exact(database: Database, column: VectorColumn, parts: _Parts) -> EmbeddingCounts:
    (numbers,) = await database.fetch(sql.SQL(_COUNT).format(**parts, part=sql.SQL("")))
    return _made(column, numbers, CountMethod.EXACT)


async def _by_index(database: Database, column: VectorColumn, parts: _Parts) -> EmbeddingCounts:
    part = sql.SQL("WHERE {} IS NULL").format(parts["column"])
    (numbers,) = await database.fetch(sql.SQL(_COUNT).format(**parts, part=part))
    numbers["rows"] = max(numbers["nulls"], column.estimated_rows)
    return _made(column, numbers, CountMethod.EXACT, rows_estimated=True)


async def _sampled(database: Database, column: VectorColumn, parts: _Parts) -> EmbeddingCounts | None:
    """Count in some pages; None where those hold no row, so that nothing is known."""
    large = column.heap_bytes > EXACT_UP_TO
    share = min(1.0, SAMPLE_PAGES * PAGE_BYTES / column.heap_bytes) if large else SMALL_SHARE
    part = sql.SQL("TABLESAMPLE SYSTEM ({})").format(sql.Literal(round(share * 100, 6)))
    (numbers,) = await database.fetch(sql.SQL(_COUNT).format(**parts, part=part))
    whole = {name: round(value / share) for name, value in numbers.items()}
    return _made(column, whole, CountMethod.SAMPLED) if numbers["rows"] else None


def _made(
    column: VectorColumn, numbers: Mapping[str, int], method: CountMethod, *, rows_estimated: bool = False
) -> EmbeddingCounts:
    return EmbeddingCounts(
        column=column,
        method=method,
        rows_estimated=rows_estimated or method is not CountMethod.EXACT,
        by_age=False,
        stage=None,
        text=None,
        **numbers,
    )


async def column_types(database: Database, column: VectorColumn) -> dict[str, str]:
    """Return the columns of the vector column's table, name → type."""
    tables = await tables_like(database, {column.column})
    return next((table.columns for table in tables if table.name == column.table_name), {})


def recent_rows(chain: Chain, types: Mapping[str, str]) -> sql.Composable:
    """Return the condition for rows within the look-back; none, where the table has no time column.

    It is never NULL: a row without a time is of no known age, and counts as old, so that nobody waits for it for ever.
    """
    created = time_column(chain, types)
    if created is None:
        return sql.SQL("false")
    return sql.SQL("(({} > now() - make_interval(secs => {})) IS TRUE)").format(
        sql.Identifier(created), sql.Literal(chain.lookback_hours * 3600)
    )


def time_column(chain: Chain, types: Mapping[str, str]) -> str | None:
    """Return the column that tells a row's age: the chain's, or without a chain the likeliest by its name."""
    if chain is not NO_CHAIN:
        return chain.created_at if chain.created_at in types else None
    return next((name for name in TIME_COLUMNS if types.get(name, "").startswith("timestamp")), None)
