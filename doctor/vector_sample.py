"""What the vectors of a column look like: their lengths, padding and models, read from a bounded part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from doctor.embeddings import column_types
from doctor.late import sql
from doctor.redaction import bounded, redact
from doctor.resources.catalog import VectorColumn
from doctor.resources.database import Database

OTHER_MODELS = (384, 512, 768, 1024)
"""Dimensions of common models that are padded to more: all-minilm, distiluse, nomic-embed-text, mxbai-embed-large."""

READ = 64 << 20
"""Bytes of a table and its vectors that are read at most: about 0.3 s (100,000 vectors of 1,536 dimensions: 2.7 s)."""

MODEL = "embedding_model"
"""The column in which a table says by which model each vector was made, where it does."""

UNIT = 0.001
"""How far from one the length of a normalised vector may be. Half precision has eleven bits, so each of its numbers is
off by 2**-11 = 0.0005 of itself at most, and with them the length."""

APART = 0.05
"""From how far on a length is clearly not one: rounding makes none such, and one model whose lengths spread around one
has many between ``UNIT`` and this."""

MIXED = 0.05
"""The smallest share of vectors that makes a mixture, and the largest that may lie between its two sides."""

_SAMPLE = """
WITH sample AS (
    SELECT {column}::vector AS v, {model} AS model FROM {table} {sampled} WHERE {column} IS NOT NULL
), measured AS (
    SELECT vector_norm(v) AS length, model, {padded} AS padded FROM sample
)
SELECT count(*) AS vectors, count(*) FILTER (WHERE length = 0) AS zeros,
       count(padded) FILTER (WHERE length > 0) AS padded, min(padded) FILTER (WHERE length > 0) AS padded_from,
       count(*) FILTER (WHERE abs(length - 1) <= %(unit)s) AS normalised,
       count(*) FILTER (WHERE length > 0 AND abs(length - 1) >= %(apart)s) AS apart,
       array_agg(DISTINCT model) FILTER (WHERE model IS NOT NULL) AS models
FROM measured
"""

_LENGTHS = """
SELECT vector_dims({column}) AS dimensions, count(*) AS vectors FROM {table} {sampled}
WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit}
"""

LENGTHS = 5
"""Numbers of dimensions of one column that are told apart."""


@dataclass(frozen=True, slots=True)
class VectorSample:
    """Numbers of vectors. ``padded`` ones hold only zeros behind ``padded_from`` dimensions; ``zeros`` are not counted
    among them. ``normalised`` have length one, ``apart`` clearly another. ``whole``: every vector of the table was
    read."""

    vectors: int
    zeros: int
    padded: int
    padded_from: int | None
    normalised: int
    apart: int
    models: tuple[str, ...]
    whole: bool

    @property
    def is_partly_padded(self) -> bool:
        """Whether some vectors are padded and others are not, so that two models share the column."""
        return 0 < self.padded < self.vectors - self.zeros

    @property
    def has_mixed_lengths(self) -> bool:
        """Whether normalised vectors are mixed with others, and next to none lies between the two."""
        others = self.vectors - self.zeros
        least = MIXED * others
        return self.normalised > least and self.apart > least and others - self.normalised - self.apart <= least


async def vector_sample(database: Database, column: VectorColumn) -> VectorSample:
    """Measure a column; where it has no number of dimensions, padding is not looked for.

    Raises:
        DatabaseError: the question could not be answered, in time or at all.
    """
    part, share = _part(column)
    has_model = MODEL in await column_types(database, column)
    query = sql.SQL(_SAMPLE).format(
        column=sql.Identifier(column.column),
        table=column.quoted_table,
        model=sql.SQL("{}::text").format(sql.Identifier(MODEL)) if has_model else sql.SQL("NULL::text"),
        padded=_padded(column.dimensions or 0),
        sampled=part,
    )
    (row,) = await database.fetch(query, {"unit": UNIT, "apart": APART})
    models = tuple(bounded(redact(model), 80) for model in sorted(row.pop("models") or ()))
    return VectorSample(**row, models=models, whole=share == 1)


async def vector_lengths(database: Database, column: VectorColumn) -> dict[int, int]:
    """Return how many vectors of each number of dimensions a bounded part of the table holds, the most frequent first.

    Of a column with fixed dimensions all are the same. At most ``LENGTHS`` numbers are returned.

    Raises:
        DatabaseError: the question could not be answered, in time or at all.
    """
    part, _ = _part(column)
    query = sql.SQL(_LENGTHS).format(
        column=sql.Identifier(column.column), table=column.quoted_table, sampled=part, limit=sql.Literal(LENGTHS)
    )
    return {row["dimensions"]: row["vectors"] for row in await database.fetch(query)}


def _part(column: VectorColumn) -> tuple[sql.Composable, float]:
    """Return the clause that bounds what is read of a table, and the share of the table that it is."""
    share = 1.0 if column.total_bytes <= READ else READ / column.total_bytes
    if share == 1:
        return sql.SQL(""), share
    # Large vectors lie outside the heap: where that is small, rows are drawn, of which only theirs are fetched.
    method = sql.SQL("BERNOULLI" if column.heap_bytes <= READ else "SYSTEM")
    percent = sql.Literal(round(share * 100, 4))
    return sql.SQL("TABLESAMPLE {} ({}) REPEATABLE (0)").format(method, percent), share


def _padded(dimensions: int) -> sql.Composable:
    """Return after which dimension a vector ``v`` holds only zeros, among those at which other models end.

    The shortest rest is looked at first: where it is not zero, no longer one is. Each look fetches the vector anew.
    """
    fitting = [least for least in OTHER_MODELS if least < dimensions]
    if not fitting:
        return sql.SQL("NULL::int")
    rests = {
        least: sql.SQL("vector_norm(subvector(v, {}, {}))").format(
            sql.Literal(least + 1), sql.Literal(dimensions - least)
        )
        for least in fitting
    }
    cases = [sql.SQL("WHEN {} <> 0 THEN NULL").format(rests[fitting[-1]])]
    cases += [sql.SQL("WHEN {} = 0 THEN {}").format(rests[least], sql.Literal(least)) for least in fitting]
    return sql.SQL("CASE {} END").format(sql.SQL(" ").join(cases))
