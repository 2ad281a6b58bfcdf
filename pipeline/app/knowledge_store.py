"""Write an extraction's result: topics, atoms, links and assignments in one transaction, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from .claims import lock_extraction, retake_messages
from .database import Connection, connection
from .errors import PermanentError
from .extractor import Extraction
from .knowledge import LINK_TYPES, ExtractedKnowledge, SourceMessage
from .settings import get_settings

START_EXTRACTION = """
    UPDATE extractions
    SET status = 'running', started_at = now(), finished_at = NULL, error = NULL,
        lease_expires_at = now() + %(lease)s * interval '1 second'
    WHERE id = %(extraction_id)s
"""
MESSAGES_OF_EXTRACTION = """
    SELECT id, content FROM messages
    WHERE extraction_id = %(extraction_id)s AND topic_id IS NULL
    ORDER BY created_at, id
"""
UPSERT_TOPIC = """
    INSERT INTO topics (chat_id, name, description)
    VALUES (%(chat_id)s, %(name)s, %(description)s)
    ON CONFLICT (chat_id, lower(name)) DO UPDATE
    SET description = CASE WHEN excluded.description = '' THEN topics.description ELSE excluded.description END,
        updated_at = now()
    RETURNING id
"""
ASSIGN_MESSAGES = """
    UPDATE messages SET topic_id = %(topic_id)s
    WHERE id = ANY(%(message_ids)s) AND extraction_id = %(extraction_id)s AND topic_id IS NULL
"""
INSERT_ATOM = """
    INSERT INTO atoms (type, title, content, confidence, chat_id, topic_id, extraction_id, message_ids)
    VALUES (%(type)s, %(title)s, %(content)s, %(confidence)s, %(chat_id)s, %(topic_id)s, %(extraction_id)s,
            %(message_ids)s)
    RETURNING id
"""
INSERT_LINK = """
    INSERT INTO atom_links (from_atom_id, to_atom_id, type)
    VALUES (%(source)s, %(target)s, %(type)s)
    ON CONFLICT DO NOTHING
"""
COMPLETE_EXTRACTION = """
    UPDATE extractions
    SET status = 'completed', finished_at = now(), agent_config_id = %(agent_id)s, model_used = %(model)s,
        used_fallback = %(used_fallback)s, topics_count = %(topics)s, atoms_count = %(atoms)s,
        links_count = %(links)s, assigned_count = %(assigned)s, error = NULL
    WHERE id = %(extraction_id)s
"""
ATOMS_WITHOUT_VECTOR = "SELECT id FROM atoms WHERE extraction_id = %(extraction_id)s AND embedding IS NULL ORDER BY id"
TOPICS_OF_EXTRACTION = """
    SELECT topic_id AS id FROM messages WHERE extraction_id = %(extraction_id)s AND topic_id IS NOT NULL
    UNION
    SELECT topic_id FROM atoms WHERE extraction_id = %(extraction_id)s AND topic_id IS NOT NULL
    ORDER BY id
"""
MESSAGES_WITHOUT_VECTOR = """
    SELECT id FROM messages WHERE extraction_id = %(extraction_id)s AND embedding IS NULL ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What an extraction changed, in rows."""

    topics: int
    atoms: int
    links: int
    assigned: int


@dataclass(frozen=True, slots=True)
class Unembedded:
    """Rows of an extraction that have no vector yet."""

    atom_ids: list[int]
    message_ids: list[int]


async def begin_extraction(extraction_id: UUID) -> list[SourceMessage] | None:
    """Mark the extraction as running and return its messages; None when it is already completed.

    The list is empty when other extractions have taken all of its messages meanwhile.

    Raises:
        PermanentError: there is no such extraction.
        psycopg.Error: the database cannot do it.
    """
    values = {"extraction_id": extraction_id, "lease": get_settings().claim_lease_seconds}
    async with connection() as database, database.transaction():
        extraction = await lock_extraction(database, extraction_id)
        if extraction is None:
            raise PermanentError(f"there is no extraction {extraction_id}")
        if extraction.status == "completed":
            return None
        await retake_messages(database, extraction)
        await database.execute(START_EXTRACTION, values)
        rows = await (await database.execute(MESSAGES_OF_EXTRACTION, values)).fetchall()
    return [SourceMessage(row["id"], row["content"]) for row in rows]


async def store_extraction(extraction_id: UUID, agent_id: UUID, found: Extraction) -> Counts | None:
    """Write the result; None when another run of the same extraction has already done so.

    Only messages that still belong to the extraction are assigned: ids that the model made up change nothing.

    Raises:
        psycopg.Error: the database cannot do it; nothing is written then.
    """
    async with connection() as database, database.transaction():
        values = {"extraction_id": extraction_id}
        extraction = await lock_extraction(database, extraction_id)
        if extraction is None:
            raise PermanentError(f"extraction {extraction_id} is gone")
        if extraction.status == "completed":
            return None
        members = {m["id"] for m in await (await database.execute(MESSAGES_OF_EXTRACTION, values)).fetchall()}
        writer = _Writer(database, extraction_id, extraction.chat_id, frozenset(members))
        counts = await writer.write(found.knowledge)
        await database.execute(
            COMPLETE_EXTRACTION,
            {
                "extraction_id": extraction_id,
                "agent_id": agent_id,
                "model": found.model,
                "used_fallback": found.used_fallback,
                "topics": counts.topics,
                "atoms": counts.atoms,
                "links": counts.links,
                "assigned": counts.assigned,
            },
        )
    return counts


async def rows_without_vector(extraction_id: UUID) -> Unembedded:
    """Return which atoms and messages of an extraction are still to be embedded.

    Raises:
        psycopg.Error: the database cannot answer.
    """
    values = {"extraction_id": extraction_id}
    async with connection() as database:
        atoms = await (await database.execute(ATOMS_WITHOUT_VECTOR, values)).fetchall()
        messages = await (await database.execute(MESSAGES_WITHOUT_VECTOR, values)).fetchall()
    return Unembedded([row["id"] for row in atoms], [row["id"] for row in messages])


async def topics_of(extraction_id: UUID) -> list[int]:
    """Return the topics that the extraction has put messages or atoms into, new ones and known ones.

    Raises:
        psycopg.Error: the database cannot answer.
    """
    async with connection() as database:
        rows = await (await database.execute(TOPICS_OF_EXTRACTION, {"extraction_id": extraction_id})).fetchall()
    return [row["id"] for row in rows]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one answer inside the caller's transaction."""

    database: Connection
    extraction_id: UUID
    chat_id: int
    members: frozenset[int]

    async def write(self, knowledge: ExtractedKnowledge) -> Counts:
        topics: dict[str, int] = {}
        assigned = 0
        for topic in knowledge.topics:
            topic_id = await self._insert(UPSERT_TOPIC, name=topic.name, description=topic.description)
            topics[topic.name.lower()] = topic_id
            assigned += await self._assign(topic_id, topic.message_ids)
        atoms: dict[str, int] = {}
        for atom in knowledge.atoms:
            atom_id = await self._insert(
                INSERT_ATOM,
                type=atom.type.lower(),
                title=atom.title,
                content=atom.content,
                confidence=atom.confidence,
                topic_id=topics.get(atom.topic.lower()),
                extraction_id=self.extraction_id,
                message_ids=[number for number in atom.message_ids if number in self.members],
            )
            atoms.setdefault(atom.title.lower(), atom_id)
        links = await self._link(knowledge, atoms)
        return Counts(len(topics), len(knowledge.atoms), links, assigned)

    async def _insert(self, statement: str, **values: object) -> int:
        row = await (await self.database.execute(statement, {"chat_id": self.chat_id, **values})).fetchone()
        assert row is not None  # RETURNING gives the row
        return int(row["id"])

    async def _assign(self, topic_id: int, message_ids: Sequence[int]) -> int:
        """Assign messages that have no topic yet: a message named under two topics stays with the first."""
        values = {
            "topic_id": topic_id,
            "message_ids": [number for number in message_ids if number in self.members],
            "extraction_id": self.extraction_id,
        }
        return (await self.database.execute(ASSIGN_MESSAGES, values)).rowcount

    async def _link(self, knowledge: ExtractedKnowledge, atoms: dict[str, int]) -> int:
        """Write the links whose type is known and whose ends are two atoms of this answer."""
        count = 0
        for link in knowledge.links:
            source, target = atoms.get(link.source.lower()), atoms.get(link.target.lower())
            if source is None or target is None or source == target or link.type.lower() not in LINK_TYPES:
                continue
            values = {"source": source, "target": target, "type": link.type.lower()}
            count += (await self.database.execute(INSERT_LINK, values)).rowcount
        return count
