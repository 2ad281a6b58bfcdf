"""How many of the true nearest an index finds: asked with it and without it, from a few stored vectors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from doctor.index_proof import search_parts
from doctor.late import sql
from doctor.query_answers import EXACT
from doctor.query_plans import FORCED
from doctor.resources.catalog import VectorColumn, VectorIndex
from doctor.resources.database import Database, QueryTimedOut

VECTORS = 20
"""Stored vectors that are searched from."""

NEIGHBOURS = 10
"""The nearest that are compared for each."""

SECONDS = 6.0
"""After this time no further vector is searched from."""

DRAWN = 200
"""Rows, about, of which the vectors are drawn: whole pages, wherever they lie."""

ENOUGH = 0.95
"""The share from which an index counts as good: HNSW with its defaults reaches 0.99 on 100,000 vectors in clusters, as
those of texts are, and 0.17 to 0.9 on vectors without structure (measured on pgvector 0.8.5)."""

STEPS = {"hnsw": ("hnsw.ef_search", (100, 200, 400)), "ivfflat": ("ivfflat.probes", (10, 30, 100))}
"""The setting by which an index finds more, by its method, and the values that are tried."""

_SAMPLE = """
SELECT vector FROM (
    SELECT {key}::text AS vector, ctid FROM {table} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)
    WHERE {key} IS NOT NULL AND {predicate} LIMIT {drawn}
) AS drawn
ORDER BY md5(ctid::text) LIMIT {vectors}
"""
_SEARCH = """
SELECT {key} OPERATOR({schema}.{operator}) {vector} AS distance FROM {table} WHERE {predicate}
ORDER BY {key} OPERATOR({schema}.{operator}) {vector} LIMIT {neighbours}
"""

_Parts: TypeAlias = Mapping[str, "sql.Composable"]


@dataclass(frozen=True, slots=True)
class Recall:
    """The ``share`` of the nearest that an index finds, over so many ``vectors``, and the seconds that it took to ask.

    ``better`` is the first value of its setting with which it finds :data:`ENOUGH`, and the share with that.
    """

    share: float
    vectors: int
    seconds: float
    better: tuple[str, int, float] | None = None

    @property
    def is_enough(self) -> bool:
        """Whether the index counts as good."""
        return self.share >= ENOUGH


async def recall_of(
    database: Database,
    column: VectorColumn,
    index: VectorIndex,
    settings: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Recall | None:
    """Search from stored vectors with an index and without; None where there are none. ``settings`` are those of the
    application.

    Raises:
        QueryTimedOut: not even one exact search was quick enough.
        DatabaseError: a question could not be answered.
    """
    started = clock()
    parts = await search_parts(database, column.table_name, index.full_name)
    if parts is None:
        return None
    exact: dict[str, list[float]] = {}
    for vector in await _drawn(database, column, parts):
        if exact and clock() - started > SECONDS:
            break
        try:
            nearest = await _distances(database, parts, vector, {}, EXACT)
        except QueryTimedOut:
            if not exact:
                raise
            break
        if nearest and not any(map(math.isnan, nearest)):
            exact[vector] = nearest
    if not exact:
        return None
    share = await _share(database, parts, exact, settings or {})
    better = await _better(database, parts, exact, index.method) if share < ENOUGH else None
    return Recall(share, len(exact), clock() - started, better)


async def _better(
    database: Database, parts: _Parts, exact: Mapping[str, Sequence[float]], method: str
) -> tuple[str, int, float] | None:
    """Return the setting with which enough is found, and what it finds."""
    name, values = STEPS.get(method, ("", ()))
    with suppress(QueryTimedOut):
        for value in values:
            if (share := await _share(database, parts, exact, {name: str(value)})) >= ENOUGH:
                return name, value, share
    return None


async def _share(
    database: Database, parts: _Parts, exact: Mapping[str, Sequence[float]], settings: Mapping[str, str]
) -> float:
    """Return which share of the nearest the index finds; a row as near as the last of them is one of them."""
    found = 0
    for vector, nearest in exact.items():
        farthest = nearest[-1] + abs(nearest[-1]) * 1e-6 + 1e-9
        given = await _distances(database, parts, vector, settings, FORCED)
        found += min(len(nearest), sum(distance <= farthest for distance in given))
    return found / sum(map(len, exact.values()))


async def _drawn(database: Database, column: VectorColumn, parts: _Parts) -> list[str]:
    percent = min(100.0, 100 * DRAWN / max(column.estimated_rows, 1))
    query = sql.SQL(_SAMPLE).format(
        **{name: parts[name] for name in ("key", "table", "predicate")},
        percent=sql.Literal(round(percent, 6)),
        drawn=sql.Literal(DRAWN),
        vectors=sql.Literal(VECTORS),
    )
    return [row["vector"] for row in await database.fetch(query)]


async def _distances(
    database: Database, parts: _Parts, vector: str, settings: Mapping[str, str], switched_off: Sequence[str]
) -> list[float]:
    query = sql.SQL(_SEARCH).format(**parts, vector=sql.Literal(vector), neighbours=sql.Literal(NEIGHBOURS))
    rows = await database.fetch(query, settings=settings, switched_off=switched_off)
    return [row["distance"] for row in rows]
