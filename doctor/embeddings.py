"""Which rows of a vector column lack their vector, and from which text it would be computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from doctor.chain import Chain
from doctor.chain_progress import passed_before
from doctor.late import sql
from doctor.resources.catalog import VectorColumn, tables_like
from doctor.resources.database import Database, QueryTimedOut

EMBEDDING_MODEL_VARIABLES = ("OLLAMA_EMBEDDING_MODEL", "EMBEDDING_MODEL")
"""Variables of the environment that name the model by which the target embeds, the first one that is set counts."""

EXACT_UP_TO = 1 << 30
"""Bytes of heap up to which NULLs are counted exactly; a vector of 500 or more dimensions lies outside the heap
(TOAST)."""

SAMPLE_PAGES = 5_000
PAGE_BYTES = 8192

TEXT_COLUMNS = ("content", "text", "body", "chunk", "document", "message", "description")
"""Names under which tables keep the text that is embedded, likeliest first."""

_COUNT = """
SELECT count(*) AS rows,
       count(*) FILTER (WHERE {column} IS NULL) AS nulls,
       count(*) FILTER (WHERE {column} IS NULL AND {blank}) AS empty,
       count(*) FILTER (WHERE {column} IS NULL AND NOT {blank} AND NOT {recent}) AS old,
       count(*) FILTER (WHERE {column} IS NULL AND NOT {blank} AND {recent} AND {due}) AS recent
FROM {table} {sample}
"""


@dataclass(frozen=True, slots=True)
class EmbeddingText:
    """How the embedded text is made: a SQL expression over the row, and its parts for people."""

    expression: sql.Composable
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmbeddingCounts:
    """The NULLs of one column. ``method`` is exact, sampled or estimated; ``stage`` the stage that fills the column."""

    column: VectorColumn
    rows: int
    nulls: int
    empty: int
    old: int
    recent: int
    method: str
    stage: str | None
    text: EmbeddingText | None


async def embedding_counts(database: Database, chain: Chain, column: VectorColumn) -> EmbeddingCounts:
    """Count the NULLs of a column, split into left over and due now.

    Recent means within the chain's look-back. A recent row is due when it has passed every stage before the one that
    fills the column. Without a time column every NULL counts as left over.
    """
    types = await column_types(database, column)
    text = embedding_text(types)
    stage = next((s for s in chain.stages if (s.table, s.column) == (column.table, column.column)), None)
    in_chain = stage is not None and stage.table == chain.message_table
    parts = {
        "table": column.quoted_table,
        "column": sql.Identifier(column.column),
        "blank": sql.SQL("(btrim({}) = '')").format(text.expression) if text else sql.SQL("false"),
        "recent": recent_rows(chain, types),
        "due": passed_before(chain, stage) if stage and in_chain else sql.SQL("true"),
    }
    share = 1.0 if column.heap_bytes <= EXACT_UP_TO else SAMPLE_PAGES * PAGE_BYTES / column.heap_bytes
    row, method = await _count(database, parts, share)
    factor = 1 if method == "exact" else 1 / share
    numbers = {name: round(value * factor) for name, value in row.items()}
    return EmbeddingCounts(column=column, method=method, stage=stage.name if stage else None, text=text, **numbers)


async def _count(database: Database, parts: Mapping[str, sql.Composable], share: float) -> tuple[dict[str, int], str]:
    if share >= 1:
        try:
            rows = await database.fetch(sql.SQL(_COUNT).format(**parts, sample=sql.SQL("")))
            return rows[0], "exact"
        except QueryTimedOut:
            share = 0.01
    sample = sql.SQL("TABLESAMPLE SYSTEM ({})").format(sql.Literal(round(max(share * 100, 0.001), 3)))
    rows = await database.fetch(sql.SQL(_COUNT).format(**parts, sample=sample))
    return rows[0], "sampled"


async def column_types(database: Database, column: VectorColumn) -> dict[str, str]:
    """Return the columns of the vector column's table, name → type."""
    tables = await tables_like(database, {column.column})
    return next((table.columns for table in tables if table.name == column.table_name), {})


def embedding_text(types: Mapping[str, str]) -> EmbeddingText | None:
    """Guess the embedded text from a table's columns: the content, with a title and a blank line before it where
    there is one."""
    content = next((name for name in TEXT_COLUMNS if types.get(name, "").startswith(("text", "character"))), None)
    if content is None:
        return None
    if "title" in types:
        expression = sql.SQL("coalesce({}, '') || E'\\n\\n' || coalesce({}, '')").format(
            sql.Identifier("title"), sql.Identifier(content)
        )
        return EmbeddingText(sql.SQL("({})").format(expression), ("title", content))
    return EmbeddingText(sql.SQL("coalesce({}, '')").format(sql.Identifier(content)), (content,))


def recent_rows(chain: Chain, types: Mapping[str, str]) -> sql.Composable:
    """Return the condition for rows within the look-back; none, where the table has no time column."""
    if chain.created_at not in types:
        return sql.SQL("false")
    return sql.SQL("({} > now() - make_interval(secs => {}))").format(
        sql.Identifier(chain.created_at), sql.Literal(chain.lookback_hours * 3600)
    )
