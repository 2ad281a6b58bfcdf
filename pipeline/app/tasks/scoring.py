"""Second task of the chain: score a message; at the threshold, claim a batch and send it on to extraction."""

from __future__ import annotations

from uuid import UUID

from loguru import logger

from ..agents import Agent, find_active_agent
from ..broker import broker
from ..claims import (
    Claim,
    claim_messages,
    count_waiting,
    find_unstarted,
    lock_chat,
    release_unstarted,
    select_waiting,
)
from ..database import connection
from ..dead_letters import record_failed_enqueue
from ..errors import describe
from ..messages import score_message
from ..retry import task_retry_with_dlq
from ..settings import get_settings
from .extraction import EXTRACTION_AGENT, extract_knowledge_from_messages_task


@broker.task
@task_retry_with_dlq(max_attempts=3)
async def score_message_task(message_id: int) -> None:
    """Score a message (once) and look whether its chat has enough messages for an extraction.

    Running it again for a scored message only repeats the second half: that is how a stuck chat is set going.
    """
    message = await score_message(message_id)
    claimed_by = f"message {message_id}"
    # A worker that died between claim and enqueue leaves a claim that nobody else would work on.
    unstarted = await find_unstarted(message.chat_id, claimed_by) if message.again else None
    if unstarted is not None:
        await queue_extraction(unstarted)
    else:
        await queue_knowledge_extraction_if_needed(message.chat_id, claimed_by)


async def queue_knowledge_extraction_if_needed(chat_id: int, claimed_by: str) -> None:
    """Claim a batch and enqueue its extraction when the chat's waiting messages reach the threshold."""
    claim = await claim_batch(chat_id, claimed_by)
    if claim is not None:
        await queue_extraction(claim.extraction_id)


async def queue_extraction(extraction_id: UUID) -> None:
    """Enqueue a claimed extraction; a failure gives the claim back, leaves a failed-task row and is raised again.

    Not so when somebody works on the extraction already: then the queue has it, and only its receipt was lost.
    """
    try:
        await extract_knowledge_from_messages_task.kiq(str(extraction_id))
    except Exception as error:  # whatever the queue raises, the claimed messages must not be stranded
        logger.warning("Failed to queue extraction task: {}", describe(error))
        if not await release_unstarted(extraction_id, describe(error)):
            return
        await record_failed_enqueue(
            extract_knowledge_from_messages_task.task_name, {"extraction_id": str(extraction_id)}, error
        )
        raise


async def claim_batch(chat_id: int, claimed_by: str) -> Claim | None:
    """Claim the chat's waiting messages if they reach the threshold and an agent is there to work on them.

    The first count is without the lock, so that most messages pass without waiting for one another. Every task
    counts after its own score is committed; the last one therefore sees them all.
    """
    threshold = get_settings().ai_knowledge_extraction_message_threshold
    async with connection() as database:
        if await count_waiting(database, chat_id) < threshold:
            return None
        async with database.transaction():
            await lock_chat(database, chat_id)
            waiting = await count_waiting(database, chat_id)
            if waiting < threshold:
                return None
            agent = await find_active_agent(database, EXTRACTION_AGENT)
            if agent is None:
                logger.warning("No active agent config '{}' found for knowledge extraction, skipping", EXTRACTION_AGENT)
                return None
            message_ids = await select_waiting(database, chat_id)
            claim = await claim_messages(database, chat_id, agent.id, message_ids, claimed_by)
    if claim is not None:
        _announce(waiting, threshold, claim, agent)
    return claim


def _announce(waiting: int, threshold: int, claim: Claim, agent: Agent) -> None:
    logger.info(
        "Threshold reached ({} >= {}), queueing knowledge extraction for {} messages using agent '{}'",
        waiting,
        threshold,
        len(claim.message_ids),
        agent.name,
    )
