"""Vectors of messages, atoms and, if switched on, topics: which text is embedded, and how vectors reach their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from loguru import logger
from pgvector import Vector
from psycopg import sql

from .database import connection
from .language_models import embed_texts
from .settings import get_settings
from .vectors import VectorError, usable_vector


class Entity(StrEnum):
    """What can be embedded and searched; the value is the name of the table."""

    MESSAGES = "messages"
    ATOMS = "atoms"
    TOPICS = "topics"


# The text of an atom is title, blank line, content; that of a topic its name and, where there is one, its description.
TEXT_OF = {
    Entity.MESSAGES: sql.SQL("content"),
    Entity.ATOMS: sql.SQL("title || E'\\n\\n' || content"),
    Entity.TOPICS: sql.SQL("concat_ws(E'\\n\\n', name, nullif(description, ''))"),
}
SELECT_TEXTS = sql.SQL("""
    SELECT id, {text} AS text FROM {table}
    WHERE id = ANY(%(ids)s) AND embedding IS NULL AND {text} ~ '\\S'
    ORDER BY id
""")
# A row that was embedded or edited meanwhile keeps what it has.
WRITE_VECTORS = sql.SQL("""
    UPDATE {table} AS t SET embedding = v.embedding, embedding_model = %(model)s
    FROM unnest(%(ids)b::bigint[], %(vectors)b::vector[], %(texts)b::text[]) AS v (id, embedding, text)
    WHERE t.id = v.id AND t.embedding IS NULL AND {text} = v.text
""")
SELECT_IDS_WITHOUT_VECTOR = sql.SQL("""
    SELECT id FROM {table}
    WHERE embedding IS NULL AND id > %(after)s AND {text} ~ '\\S'
    ORDER BY id LIMIT %(limit)s
""")
SELECT_KNOWN_IDS = sql.SQL("SELECT id FROM {table} WHERE id = ANY(%(ids)s) ORDER BY id")


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    text: str


class NotEmbeddedError(Exception):
    """Rows of this kind have no vectors here."""


def embedded_entities() -> list[Entity]:
    """Return what is embedded: topics only with ``EMBED_TOPICS``."""
    return [entity for entity in Entity if entity is not Entity.TOPICS or get_settings().embed_topics]


def require_embedded(entity: Entity) -> None:
    """See that rows of this kind have vectors.

    Raises:
        NotEmbeddedError: they have none, and why.
    """
    if entity not in embedded_entities():
        raise NotEmbeddedError(
            f"{entity} are not embedded: set EMBED_TOPICS and apply the schema (python -m app.schema)"
        )


def embedding_model() -> str:
    """Return the configured model as rows name it: ``:latest`` is the tag that Ollama adds, so it says nothing."""
    return get_settings().ollama_embedding_model.removesuffix(":latest")


async def embed_rows(entity: Entity, ids: Sequence[int]) -> int:
    """Embed those of the rows that have text and no vector; return how many got one.

    Written request by request, so an interrupted batch keeps what it has. Rows whose vectors are unusable are left
    NULL, and the rest of the batch is still written before that is raised.

    Raises:
        ModelError: the model server failed.
        VectorError: at least one vector was unusable.
        psycopg.Error: the database failed.
    """
    rows = await _rows_to_embed(entity, ids)
    size = get_settings().embedding_request_size
    written = 0
    rejected: VectorError | None = None
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        vectors = await embed_texts([row.text for row in part])
        usable: list[tuple[_Row, Vector]] = []
        for row, values in zip(part, vectors, strict=True):
            try:
                usable.append((row, usable_vector(values, get_settings().embedding_dimensions)))
            except VectorError as error:
                logger.error("No usable vector for {} {}: {}", entity, row.id, error)
                rejected = error
        written += await _write(entity, usable)
    if rejected is not None:
        raise rejected
    return written


async def ids_without_vector(entity: Entity, after: int, limit: int) -> list[int]:
    """Return up to ``limit`` ids above ``after`` whose rows have text and no vector, in order."""
    statement = _for(SELECT_IDS_WITHOUT_VECTOR, entity)
    async with connection() as database:
        rows = await (await database.execute(statement, {"after": after, "limit": limit})).fetchall()
    return [row["id"] for row in rows]


async def are_to_be_embedded(entity: Entity, ids: Sequence[int]) -> bool:
    """Return whether any of these rows has text and no vector.

    Raises:
        psycopg.Error: the database cannot tell.
    """
    return bool(await _rows_to_embed(entity, ids))


async def known_ids(entity: Entity, ids: Sequence[int]) -> list[int]:
    """Return those of the ids that exist, in order."""
    async with connection() as database:
        rows = await (await database.execute(_for(SELECT_KNOWN_IDS, entity), {"ids": list(ids)})).fetchall()
    return [row["id"] for row in rows]


async def _rows_to_embed(entity: Entity, ids: Sequence[int]) -> list[_Row]:
    async with connection() as database:
        rows = await (await database.execute(_for(SELECT_TEXTS, entity), {"ids": list(ids)})).fetchall()
    return [_Row(row["id"], row["text"]) for row in rows]


async def _write(entity: Entity, usable: Sequence[tuple[_Row, Vector]]) -> int:
    if not usable:
        return 0
    values = {
        "ids": [row.id for row, _ in usable],
        "vectors": [vector for _, vector in usable],
        "texts": [row.text for row, _ in usable],
        "model": embedding_model(),
    }
    async with connection() as database:
        return (await database.execute(_for(WRITE_VECTORS, entity), values)).rowcount


def _for(statement: sql.SQL, entity: Entity) -> sql.Composed:
    return statement.format(table=sql.Identifier(entity.value), text=TEXT_OF[entity])
