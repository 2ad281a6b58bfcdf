"""What one user has written, kept in memory and searched exactly.

An index over all users finds the nearest of everybody, and few of one user may be among them; this one holds one user
and nobody else. It is loaded from the stored vectors at its first use, by one caller while others wait, and anew when
it is older than :data:`MAX_AGE_SECONDS`. A load that fails leaves it as it was, and the next call tries again.

A user is the chat of that number: with a bot that is spoken to in private, the two are the same.
"""

from __future__ import annotations

import asyncio
import math
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import mul

from pgvector import Vector
from pydantic import BaseModel

from .database import connection
from .embeddings import embedding_model
from .language_models import embed_texts
from .settings import get_settings
from .vectors import usable_vector

SELECT_VECTORS = """
    SELECT id, content, embedding FROM messages
    WHERE chat_id = %(user_id)s AND embedding IS NOT NULL
      AND (embedding_model IS NULL OR embedding_model = %(model)s) AND vector_norm(embedding) > 0
    ORDER BY id DESC LIMIT %(limit)s
"""
MAX_AGE_SECONDS = 60.0
"""What was embedded since is found after this time at the latest."""

LARGEST_INDEX = 2_000
"""Messages of one user, the newest; comparing with all of them takes about 0.1 s of a thread."""

LARGEST_NOTES = 200
MOST_INDEXES = 100
"""Users that are kept in memory; the one not asked for longest goes first."""


class FoundContent(BaseModel):
    """Something a user wrote. ``message_id`` is ``null`` for what was only indexed and is no message."""

    message_id: int | None
    content: str
    similarity: float


@dataclass(frozen=True, slots=True)
class _Entry:
    """A text with its direction: a vector of length 1."""

    message_id: int | None
    content: str
    direction: array[float]

    def similarity(self, direction: array[float]) -> float:
        """Return ``(1 + cosine) / 2``, as the search over all users counts it."""
        cosine: float = sum(map(mul, self.direction, direction))
        return (1 + max(-1.0, min(1.0, cosine))) / 2


class SemanticIndex:
    """The index of one user. ``clock`` counts seconds."""

    def __init__(self, user_id: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.user_id = user_id
        self.initializing = False
        self._clock = clock
        self._lock = asyncio.Lock()
        self._initialized = False
        self._loaded_at = 0.0
        self._stored: list[_Entry] = []
        self._notes: OrderedDict[str, _Entry] = OrderedDict()

    async def index_content(self, content: str) -> int:
        """Add a text that is no message, and return how many texts the index holds; it is gone with the process.

        Raises:
            ModelError, VectorError: the text has no usable vector.
            psycopg.Error: what is stored cannot be loaded.
        """
        await self.ensure_initialized()
        self._notes[content] = _Entry(None, content, await _direction_of(content))
        self._notes.move_to_end(content)
        while len(self._notes) > LARGEST_NOTES:
            self._notes.popitem(last=False)
        return len(self._stored) + len(self._notes)

    async def search(self, query: str, limit: int, threshold: float) -> list[FoundContent]:
        """Return the texts most similar to ``query``, at least ``threshold`` (0…1), best first.

        Raises:
            ModelError, VectorError: the query has no usable vector.
            psycopg.Error: what is stored cannot be loaded.
        """
        await self.ensure_initialized()
        found = await self._compared(await _direction_of(query))
        return [one for one in found if one.similarity >= threshold][:limit]

    async def get_similarity(self, content: str) -> float | None:
        """Return how near ``content`` comes to the nearest text, or None when there is none.

        Raises:
            ModelError, VectorError: the content has no usable vector.
            psycopg.Error: what is stored cannot be loaded.
        """
        await self.ensure_initialized()
        found = await self._compared(await _direction_of(content))
        return found[0].similarity if found else None

    async def ensure_initialized(self) -> None:
        """Load what is stored, unless that was done lately; wait while somebody else does.

        Raises:
            psycopg.Error: the database failed; the next call tries again.
        """
        async with self._lock:
            if self._initialized and self._clock() - self._loaded_at < MAX_AGE_SECONDS:
                return
            self.initializing = True
            try:
                await self._load()
            finally:
                self.initializing = False

    async def _load(self) -> None:
        values = {"user_id": self.user_id, "model": embedding_model(), "limit": LARGEST_INDEX}
        loaded_at = self._clock()
        async with connection() as database:
            rows = await (await database.execute(SELECT_VECTORS, values)).fetchall()
        self._stored = [_Entry(row["id"], row["content"], _direction(row["embedding"])) for row in rows]
        self._loaded_at = loaded_at
        self._initialized = True

    async def _compared(self, direction: array[float]) -> list[FoundContent]:
        """Return every text, the most similar first; worked out in a thread, because it burns the CPU."""
        entries = (*self._stored, *self._notes.values())
        return await asyncio.to_thread(_ranked, entries, direction)


class SemanticIndexes:
    """The indexes of all users who asked lately."""

    def __init__(self) -> None:
        self._indexes: OrderedDict[int, SemanticIndex] = OrderedDict()

    def of(self, user_id: int) -> SemanticIndex:
        """Return a user's index; it is made at once, and loaded when it is used."""
        index = self._indexes.setdefault(user_id, SemanticIndex(user_id))
        self._indexes.move_to_end(user_id)
        while len(self._indexes) > MOST_INDEXES:
            self._indexes.popitem(last=False)
        return index


indexes = SemanticIndexes()


def _ranked(entries: Iterable[_Entry], direction: array[float]) -> list[FoundContent]:
    found = [
        FoundContent(message_id=one.message_id, content=one.content, similarity=one.similarity(direction))
        for one in entries
        if len(one.direction) == len(direction)
    ]
    return sorted(found, key=lambda one: one.similarity, reverse=True)


async def _direction_of(text: str) -> array[float]:
    (values,) = await embed_texts([text])
    return _direction(usable_vector(values, get_settings().embedding_dimensions))


def _direction(vector: Vector) -> array[float]:
    values: Sequence[float] = vector.to_list()
    length = math.hypot(*values)
    return array("f", [value / length for value in values])
