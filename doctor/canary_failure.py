"""Whether the chain has given the canaries up, so that there is nothing left to wait for."""

from __future__ import annotations

from doctor.canary_rows import CanaryRows
from doctor.canary_tasks import TaskQueue
from doctor.chain_progress import ERROR_SHOWN
from doctor.redaction import bounded, redact
from doctor.resources.nats import NatsError
from doctor.resources.unreachable import ResourceUnreachable


async def failure_of(rows: CanaryRows, queue: TaskQueue) -> str | None:
    """Return which task of the canaries has failed for good, if one has and no other is under way; None otherwise.

    A queue that keeps its tasks when they are done never lets this be known; nor does one that does not answer.
    """
    traces = await rows.traces()
    letter = await rows.newest_letter(traces)
    if letter is None:
        return None
    try:
        if await queue.holds(traces):
            return None
    except (NatsError, ResourceUnreachable):
        return None
    return f"`{letter.task}` gave up: {bounded(redact(letter.error), ERROR_SHOWN)}"
