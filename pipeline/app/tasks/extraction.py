"""Third task of the chain: have a model extract knowledge from a claimed batch, then send everything to embedding."""

from __future__ import annotations

import contextlib
from uuid import UUID

from loguru import logger
from psycopg import Error as DatabaseError

from ..agents import Agent, find_active_agent
from ..broker import broker
from ..claims import release_claim
from ..database import connection
from ..dead_letters import clear_failed_extractions, clear_failure, record_failed_enqueue
from ..embeddings import Entity, are_to_be_embedded
from ..errors import PermanentError, describe
from ..executions import note_model, when_given_up
from ..extractor import extract
from ..knowledge_store import begin_extraction, rows_without_vector, store_extraction, topics_of
from ..retry import task_retry_with_dlq
from ..settings import get_settings
from .embedding import embed_atoms_batch_task, embed_messages_batch_task, embed_topics_batch_task

EXTRACTION_AGENT = "knowledge_extractor"


@broker.task
@task_retry_with_dlq(max_attempts=3)
async def extract_knowledge_from_messages_task(extraction_id: str) -> None:
    """Work on a claimed batch; its effect happens once, however often the task is delivered.

    When it fails for good, the claim is given back, so that the messages can be claimed again.
    """
    extraction = UUID(extraction_id)

    async def give_back(error: BaseException) -> None:
        await release_claim(extraction, describe(error))

    when_given_up(give_back)
    await _extract(extraction)
    await clear_failed_extractions(extract_knowledge_from_messages_task.task_name, extraction)
    await queue_embeddings(extraction)
    if get_settings().embed_topics:
        await queue_topic_embeddings(extraction)


async def _extract(extraction: UUID) -> None:
    """Ask the model and store what it found; nothing to do when that has been done or the messages are taken."""
    messages = await begin_extraction(extraction)
    if messages is None:
        logger.info("Knowledge extraction {} is already completed", extraction)
        return
    if not messages:
        logger.info("Knowledge extraction {} has no messages left: others have taken them", extraction)
        await release_claim(extraction, "its messages were taken by other extractions")
        return
    agent = await _active_agent()
    logger.info("Starting knowledge extraction task: {} messages with agent {}", len(messages), agent.id)
    logger.info(
        "Starting knowledge extraction for {} messages using agent '{}' (model: {})",
        len(messages),
        agent.name,
        agent.model,
    )
    found = await extract(agent, messages)
    note_model(found.model, fallback=found.used_fallback)
    counts = await store_extraction(extraction, agent.id, found)
    if counts is None:
        logger.info("Knowledge extraction {} was completed by another run", extraction)
        return
    logger.info(
        "Knowledge extraction completed: {} topics processed, {} atoms processed, {} links created,"
        " {} messages updated",
        counts.topics,
        counts.atoms,
        counts.links,
        counts.assigned,
    )


async def _active_agent() -> Agent:
    async with connection() as database:
        agent = await find_active_agent(database, EXTRACTION_AGENT)
    if agent is None:
        raise PermanentError(f"no active agent config '{EXTRACTION_AGENT}': activate it, and its provider")
    return agent


async def queue_embeddings(extraction: UUID) -> None:
    """Enqueue the embedding of the extraction's new atoms and messages; runs after the commit.

    A failed enqueue never fails the extraction, whose result is already stored; it leaves a failed-task row, unless
    only the receipt was lost and the work is done by then.
    """
    rows = await rows_without_vector(extraction)
    if rows.atom_ids:
        logger.info("Queueing embedding generation for {} atoms", len(rows.atom_ids))
        try:
            await embed_atoms_batch_task.kiq(rows.atom_ids)
        except Exception as error:  # noqa: BLE001 - whatever the queue raises, the extraction stands
            logger.warning("Failed to queue embedding task: {}", describe(error))
            await record_failed_enqueue(embed_atoms_batch_task.task_name, {"ids": rows.atom_ids}, error)
            await _clear_if_embedded(embed_atoms_batch_task.task_name, Entity.ATOMS, rows.atom_ids)
    if rows.message_ids:
        logger.info("Queueing embedding generation for {} messages", len(rows.message_ids))
        try:
            await embed_messages_batch_task.kiq(rows.message_ids)
        except Exception as error:  # noqa: BLE001 - whatever the queue raises, the extraction stands
            logger.warning("Failed to queue embedding task: {}", describe(error))
            await record_failed_enqueue(embed_messages_batch_task.task_name, {"ids": rows.message_ids}, error)
            await _clear_if_embedded(embed_messages_batch_task.task_name, Entity.MESSAGES, rows.message_ids)


async def queue_topic_embeddings(extraction: UUID) -> None:
    """Enqueue the embedding of the extraction's topics; as with atoms, a failed enqueue leaves a failed-task row."""
    topic_ids = await topics_of(extraction)
    if topic_ids:
        logger.info("Queueing embedding generation for {} topics", len(topic_ids))
        try:
            await embed_topics_batch_task.kiq(topic_ids)
        except Exception as error:  # noqa: BLE001 - whatever the queue raises, the extraction stands
            logger.warning("Failed to queue embedding task: {}", describe(error))
            await record_failed_enqueue(embed_topics_batch_task.task_name, {"ids": topic_ids}, error)
            await _clear_if_embedded(embed_topics_batch_task.task_name, Entity.TOPICS, topic_ids)


async def _clear_if_embedded(task: str, entity: Entity, ids: list[int]) -> None:
    """Remove a dead letter of which nothing is left to do; when the database cannot tell, it stays.

    This is asked after the letter was written, so whoever embeds later removes it.
    """
    with contextlib.suppress(DatabaseError):
        if not await are_to_be_embedded(entity, ids):
            await clear_failure(task, {"ids": ids})
