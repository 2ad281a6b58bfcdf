"""Which reasons for a standstill the numbers of a queue exclude, and by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from doctor.queue_state import QueueState, Standstill

if TYPE_CHECKING:
    from doctor.resources.jetstream import Consumer


def excluded_standstills(state: QueueState, found: Standstill) -> Iterator[tuple[str, str]]:
    """Yield the hypotheses beside the reason that was found which every consumer refutes, each with the numbers."""
    stream = state.streams[0]
    yield "stream missing", f"stream `{stream.name}` carries `{state.subject}` and holds {stream.messages}"
    if not state.consumers:
        return
    for reason, (hypothesis, refute) in _REFUTED_BY.items():
        shown = [refute(consumer) for consumer in state.consumers]
        if reason is not found and all(shown):
            yield hypothesis, "; ".join(dict.fromkeys(shown))


def _no_lost_request(consumer: Consumer) -> str:
    if not consumer.pull:
        return f"`{consumer.name}` is a push consumer"
    return f"{consumer.num_waiting} open requests for tasks of `{consumer.name}`" if consumer.num_waiting else ""


def _no_partial_batch(consumer: Consumer) -> str:
    """A batch that is not full takes all that waits."""
    if not consumer.pull:
        return f"`{consumer.name}` is a push consumer"
    if consumer.num_pending or not consumer.num_ack_pending:
        return f"{consumer.num_pending} wait, {consumer.num_ack_pending} are taken"
    return ""


def _not_taken(consumer: Consumer) -> str:
    return f"`{consumer.name}` is a pull consumer" if consumer.pull else ""


def _not_at_the_limit(consumer: Consumer) -> str:
    held, most = consumer.num_ack_pending, consumer.max_ack_pending
    return "" if 0 < most <= held else f"unacknowledged: {held} of {most}"


def _not_paused(consumer: Consumer) -> str:
    return "" if consumer.paused else f"`{consumer.name}` is not paused"


_REFUTED_BY: dict[Standstill, tuple[str, Callable[[Consumer], str]]] = {
    Standstill.LOST_REQUEST: ("lost pull request", _no_lost_request),
    Standstill.PARTIAL_BATCH: ("worker that waits for a full batch", _no_partial_batch),
    Standstill.TAKEN: ("another process takes the tasks", _not_taken),
    Standstill.ACK_LIMIT: ("too many unacknowledged", _not_at_the_limit),
    Standstill.PAUSED: ("consumer paused", _not_paused),
}
"""The reasons that the server's numbers alone can refute; whether a worker runs, the processes say."""
