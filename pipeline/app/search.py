"""Semantic search by cosine distance.

Similarity is ``1 - distance / 2``, from 0 (opposite) to 1 (same direction); unrelated texts score about 0.5.
"""

from __future__ import annotations

from datetime import datetime

from psycopg import sql
from pydantic import BaseModel

from .database import connection
from .embeddings import Entity
from .language_models import embed_texts
from .settings import get_settings
from .vectors import usable_vector

# The filter is on the distance: NaN (a zero vector in a row) is never <= a number. Written as
# `1 - distance / 2 >= threshold` it would be, because PostgreSQL sorts NaN above every number.
SEARCH_MESSAGES = """
    SELECT id, chat_id, sender, content, topic_id, created_at, 1 - (embedding <=> %(query)s) / 2 AS similarity
    FROM messages
    WHERE (embedding <=> %(query)s) <= 2 * (1 - %(threshold)s::double precision)
    ORDER BY embedding <=> %(query)s
    LIMIT %(limit)s
"""
SEARCH_ATOMS = """
    SELECT id, type, title, content, topic_id, created_at, 1 - (embedding <=> %(query)s) / 2 AS similarity
    FROM atoms
    WHERE (embedding <=> %(query)s) <= 2 * (1 - %(threshold)s::double precision)
    ORDER BY embedding <=> %(query)s
    LIMIT %(limit)s
"""
# An HNSW index gives at most ef_search rows (40 by default), whatever LIMIT says.
SET_CANDIDATES = sql.SQL("SET LOCAL hnsw.ef_search = {candidates}")
LARGEST_LIMIT = 100


class FoundMessage(BaseModel):
    """A message near the query."""

    id: int
    chat_id: int
    sender: str | None
    content: str
    topic_id: int | None
    created_at: datetime
    similarity: float


class FoundAtom(BaseModel):
    """An atom near the query."""

    id: int
    type: str
    title: str
    content: str
    topic_id: int | None
    created_at: datetime
    similarity: float


async def search_messages(query: str, limit: int, threshold: float) -> list[FoundMessage]:
    """Return the messages most similar to the text, at least ``threshold`` (0…1), best first.

    Raises:
        ModelError: the query could not be embedded.
        VectorError: its vector is unusable.
        psycopg.Error: the database failed.
    """
    rows = await _search(SEARCH_MESSAGES, query, limit, threshold)
    return [FoundMessage.model_validate(row) for row in rows]


async def search_atoms(query: str, limit: int, threshold: float) -> list[FoundAtom]:
    """Return the atoms most similar to the text; as :func:`search_messages`."""
    rows = await _search(SEARCH_ATOMS, query, limit, threshold)
    return [FoundAtom.model_validate(row) for row in rows]


async def _search(statement: str, query: str, limit: int, threshold: float) -> list[dict[str, object]]:
    (values,) = await embed_texts([query])
    vector = usable_vector(values, get_settings().embedding_dimensions)
    async with connection() as database, database.transaction():
        await database.execute(SET_CANDIDATES.format(candidates=sql.Literal(LARGEST_LIMIT)))
        cursor = await database.execute(
            statement,
            {"query": vector, "threshold": threshold, "limit": limit},
        )
        return list(await cursor.fetchall())


__all__ = ["LARGEST_LIMIT", "Entity", "FoundAtom", "FoundMessage", "search_atoms", "search_messages"]
