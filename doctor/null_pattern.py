"""When the vectors of a column stopped coming, and for which kinds of rows they never came.

A hook that embeds the wrong rows looks whole in the source; only the data tells: one kind of row has all its vectors,
and another has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from doctor.chain import Chain
from doctor.embeddings import EXACT_UP_TO, time_column
from doctor.late import sql
from doctor.redaction import bounded, redact
from doctor.resources.catalog import VectorColumn
from doctor.resources.database import Database

KIND_COLUMNS = ("type", "kind", "category", "source", "role", "version")
"""Columns that tell kinds of rows apart, likeliest first. A ``status`` is none of them: a row may be marked failed
for its missing vector."""

KINDS = 20
"""A column with more values tells no kinds."""

FEWEST = 3
"""Rows of a kind that all lack their vector before that says anything about the kind."""

NAME_SHOWN = 40

_NEWEST = "SELECT max({created})::text FROM {table} WHERE {column} IS NOT NULL"
_BY_KIND = """
SELECT {kind}::text AS kind, count(*) AS rows, count(*) FILTER (WHERE {column} IS NULL) AS nulls
FROM {table} WHERE {kind} IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT {limit}
"""


@dataclass(frozen=True, slots=True)
class NullPattern:
    """``newest`` is the time of the newest row with a vector, None where no column tells. ``without`` are the kinds, by
    the column ``kind``, that have no vector at all, while ``with_all`` have all of theirs; empty: no such split."""

    newest: str | None = None
    kind: str = ""
    without: tuple[str, ...] = ()
    with_all: tuple[str, ...] = ()


async def null_pattern(database: Database, chain: Chain, column: VectorColumn, types: Mapping[str, str]) -> NullPattern:
    """Look at a column with some NULLs; nothing is asked of a table that is too large to be counted.

    Raises:
        DatabaseError: the question could not be answered.
    """
    if column.heap_bytes > EXACT_UP_TO:
        return NullPattern()
    parts = {"table": column.quoted_table, "column": sql.Identifier(column.column)}
    newest = None
    if created := time_column(chain, types):
        query = sql.SQL(_NEWEST).format(**parts, created=sql.Identifier(created))
        newest = await database.scalar(query)
    for name in KIND_COLUMNS:
        if name in types:
            query = sql.SQL(_BY_KIND).format(**parts, kind=sql.Identifier(name), limit=sql.Literal(KINDS + 1))
            rows = await database.fetch(query)
            without = [row["kind"] for row in rows if row["nulls"] == row["rows"] >= FEWEST]
            with_all = [row["kind"] for row in rows if row["nulls"] == 0]
            if len(rows) <= KINDS and without and with_all:
                return NullPattern(newest, name, _shown(without), _shown(with_all))
    return NullPattern(newest)


def _shown(kinds: list[str]) -> tuple[str, ...]:
    return tuple(bounded(redact(kind), NAME_SHOWN) for kind in kinds)
