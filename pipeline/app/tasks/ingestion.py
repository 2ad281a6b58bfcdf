"""First task of the chain: save a message and send it on to be scored."""

from __future__ import annotations

from loguru import logger

from ..broker import broker
from ..dead_letters import clear_failure, record_failed_enqueue
from ..errors import describe
from ..messages import is_unscored, save_message
from ..retry import task_retry_with_dlq
from ..telegram import IncomingMessage
from .scoring import score_message_task


@broker.task
@task_retry_with_dlq(max_attempts=3)
async def save_telegram_message(message: IncomingMessage) -> None:
    """Save a message once and enqueue its scoring.

    A second delivery finds the row; it enqueues the scoring again only while there is no score, so neither a crash
    between the two steps nor a failed enqueue leaves a message behind.
    """
    saved = await save_message(IncomingMessage.model_validate(message))
    if saved.unscored:
        await queue_scoring(saved.id)
    else:  # an enqueue that seemed to fail, when only its receipt was lost, has left a dead letter of work that is done
        await clear_failure(score_message_task.task_name, {"message_id": saved.id})


async def queue_scoring(message_id: int) -> None:
    """Enqueue the scoring of a saved message; a failure leaves a failed-task row and is raised again.

    Not so when the message has its score by then (the queue had the task, and only its receipt was lost) or is gone.
    The row is written before that is asked, so whoever scores later removes it.
    """
    try:
        await score_message_task.kiq(message_id)
    except Exception as error:  # whatever the queue raises, the message must not be forgotten
        logger.warning("Failed to queue scoring task: {}", describe(error))
        await record_failed_enqueue(score_message_task.task_name, {"message_id": message_id}, error)
        if await is_unscored(message_id):
            raise
        await clear_failure(score_message_task.task_name, {"message_id": message_id})
