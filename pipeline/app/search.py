"""Search by meaning: what is near a text, and what is near a row that is stored already.

Similarity is ``1 - distance / 2`` with the cosine distance, from 0 (opposite) to 1 (same direction); unrelated texts
score about 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeVar

from pgvector import Vector
from psycopg import sql
from pydantic import BaseModel

from .database import connection
from .embeddings import Entity, embedding_model, require_embedded
from .language_models import embed_texts
from .settings import get_settings
from .vectors import usable_vector

# The nearest rows first, then the threshold: the distance is computed once for each row, and an index that gives rows
# in order of distance never walks on in search of more. NaN (a zero vector in a row) is the largest number to
# PostgreSQL, so it comes last and is never <= a number; `1 - distance / 2 >= threshold` would let it pass.
# Vectors of another model lie in another space, where near and far mean nothing; NULL is a model that nobody noted.
NEAREST = sql.SQL("""
    SELECT {columns}, 1 - distance / 2 AS similarity
    FROM (
        SELECT {columns}, embedding <=> %(vector)s AS distance
        FROM {table}
        WHERE embedding IS NOT NULL AND id IS DISTINCT FROM %(but)s::bigint
          AND (embedding_model IS NULL OR %(model)s::text IS NULL OR embedding_model = %(model)s)
        ORDER BY embedding <=> %(vector)s
        LIMIT %(limit)s
    ) AS nearest
    WHERE distance <= 2 * (1 - %(threshold)s::double precision)
    ORDER BY distance
""")
VECTOR_OF_ROW = sql.SQL("SELECT embedding, embedding_model FROM {table} WHERE id = %(id)s")
# An HNSW index gives at most ef_search rows (40 by default), whatever LIMIT says; one more is the row itself.
LARGEST_LIMIT = 100
SET_CANDIDATES = sql.SQL("SET LOCAL hnsw.ef_search = {candidates}").format(candidates=sql.Literal(LARGEST_LIMIT + 1))

DEFAULT_SIMILARITY = 0.7
# A cosine of 0.9: the same said in other words, with common embedding models.
DUPLICATE_SIMILARITY = 0.95


class UnknownRowError(Exception):
    """There is no row of that id."""


class NoVectorError(Exception):
    """The row has no vector yet, so nothing can be near it."""


class FoundMessage(BaseModel):
    """A message near the query."""

    entity: ClassVar[Entity] = Entity.MESSAGES

    id: int
    chat_id: int
    sender: str | None
    content: str
    topic_id: int | None
    created_at: datetime
    similarity: float


class FoundAtom(BaseModel):
    """An atom near the query."""

    entity: ClassVar[Entity] = Entity.ATOMS

    id: int
    type: str
    title: str
    content: str
    topic_id: int | None
    created_at: datetime
    similarity: float


class FoundTopic(BaseModel):
    """A topic near the query."""

    entity: ClassVar[Entity] = Entity.TOPICS

    id: int
    chat_id: int
    name: str
    description: str
    created_at: datetime
    similarity: float


Found = TypeVar("Found", FoundMessage, FoundAtom, FoundTopic)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to look: around a vector of a model (None: not known), leaving out the row ``but``."""

    vector: Vector
    model: str | None
    but: int | None = None


async def search(kind: type[Found], query: str, limit: int, threshold: float) -> list[Found]:
    """Return the rows most similar to the text, at least ``threshold`` (0…1), best first.

    Raises:
        NotEmbeddedError: rows of this kind have no vectors here.
        ModelError: the query could not be embedded.
        VectorError: its vector is unusable.
        psycopg.Error: the database failed.
    """
    require_embedded(kind.entity)
    (values,) = await embed_texts([query])
    vector = usable_vector(values, get_settings().embedding_dimensions)
    return await _nearest(kind, _Place(vector, embedding_model()), limit, threshold)


async def similar(kind: type[Found], row_id: int, limit: int, threshold: float) -> list[Found]:
    """Return the other rows most similar to a stored one, at least ``threshold`` (0…1), best first.

    Raises:
        UnknownRowError, NoVectorError: there is no such row, or it has no vector.
        psycopg.Error: the database failed.
    """
    statement = VECTOR_OF_ROW.format(table=sql.Identifier(kind.entity.value))
    async with connection() as database:
        row = await (await database.execute(statement, {"id": row_id})).fetchone()
    if row is None:
        raise UnknownRowError(f"there is no row {row_id} in {kind.entity}")
    if row["embedding"] is None:
        raise NoVectorError(f"row {row_id} in {kind.entity} has no vector yet")
    return await _nearest(kind, _Place(row["embedding"], row["embedding_model"], but=row_id), limit, threshold)


async def _nearest(kind: type[Found], place: _Place, limit: int, threshold: float) -> list[Found]:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in kind.model_fields if name != "similarity")
    statement = NEAREST.format(columns=columns, table=sql.Identifier(kind.entity.value))
    values = {"vector": place.vector, "model": place.model, "but": place.but, "limit": limit, "threshold": threshold}
    async with connection() as database, database.transaction():
        await database.execute(SET_CANDIDATES)
        rows = await (await database.execute(statement, values)).fetchall()
    return [kind.model_validate(row) for row in rows]
