"""Last tasks of the chain: give messages and atoms, and topics where that is switched on, their vectors."""

from __future__ import annotations

from loguru import logger

from ..broker import broker
from ..embeddings import Entity, embed_rows
from ..executions import note_model
from ..retry import task_retry_with_dlq
from ..settings import get_settings


@broker.task
@task_retry_with_dlq(max_attempts=3)
async def embed_messages_batch_task(ids: list[int]) -> None:
    """Embed messages by id; those with a vector are left alone, so running it twice costs nothing."""
    logger.info("Starting batch message embedding task: {} messages", len(ids))
    written = await embed_rows(Entity.MESSAGES, ids)
    note_model(get_settings().ollama_embedding_model, fallback=False)
    logger.info("Batch message embedding completed: {} of {} messages embedded", written, len(ids))


@broker.task
@task_retry_with_dlq(max_attempts=3)
async def embed_atoms_batch_task(ids: list[int]) -> None:
    """Embed atoms by id; those with a vector are left alone, so running it twice costs nothing."""
    logger.info("Starting batch atom embedding task: {} atoms", len(ids))
    written = await embed_rows(Entity.ATOMS, ids)
    note_model(get_settings().ollama_embedding_model, fallback=False)
    logger.info("Batch atom embedding completed: {} of {} atoms embedded", written, len(ids))


@broker.task
@task_retry_with_dlq(max_attempts=3)
async def embed_topics_batch_task(ids: list[int]) -> None:
    """Embed topics by id; those whose text has not changed since keep their vector."""
    logger.info("Starting batch topic embedding task: {} topics", len(ids))
    written = await embed_rows(Entity.TOPICS, ids)
    note_model(get_settings().ollama_embedding_model, fallback=False)
    logger.info("Batch topic embedding completed: {} of {} topics embedded", written, len(ids))
