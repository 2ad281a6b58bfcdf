"""What the server knows of one queue of tasks: its streams, its consumers, and why nothing moves if nothing does.

The verdicts are those of C26. Each rests on numbers of the server and on the processes of this machine; none needs a
log, and none consumes a task.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from doctor.redaction import bounded, redact

if TYPE_CHECKING:
    from doctor.resources.jetstream import Consumer, StoredMessage, Stream
    from doctor.resources.nats import Nats
    from doctor.resources.processes import Process

PEEKED = 50
"""Waiting tasks that are looked at."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """One look at the queue. ``streams`` carry the subject, ``others`` do not; ``consumers`` take from ``streams``."""

    subject: str
    streams: tuple[Stream, ...]
    others: tuple[Stream, ...]
    consumers: tuple[Consumer, ...]

    @property
    def pending(self) -> int:
        """Tasks that nobody was given yet."""
        return sum(consumer.num_pending for consumer in self.consumers)

    @property
    def unacknowledged(self) -> int:
        """Tasks that somebody was given and has not acknowledged."""
        return sum(consumer.num_ack_pending for consumer in self.consumers)


class Standstill(StrEnum):
    """Why published tasks do not run."""

    NO_WORKER = "no worker runs"
    LOST_REQUEST = "the worker lost its pull request"
    PARTIAL_BATCH = "the worker waits for a full batch"
    TAKEN = "another process takes the tasks"
    ACK_LIMIT = "too many tasks are unacknowledged"
    PAUSED = "the consumer is paused"


@dataclass(frozen=True, slots=True)
class QueueVerdict:
    """What two looks at a queue say: a standstill of a consumer, or (``standstill`` None) what shows that it moves."""

    standstill: Standstill | None
    evidence: str
    consumer: Consumer | None = None


def carries(pattern: str, subject: str) -> bool:
    """Tell whether a stream's subject, with wildcards (``*`` one part, ``>`` the rest), takes in ``subject``."""
    wanted, given = pattern.split("."), subject.split(".")
    for position, part in enumerate(wanted):
        if part == ">":
            return len(given) > position
        if position >= len(given) or part not in ("*", given[position]):
            return False
    return len(wanted) == len(given)


async def queue_state(nats: Nats, subject: str | None) -> QueueState:
    """Ask the server once. Nothing carries a subject that is not known (None), or any subject without JetStream.

    Raises:
        NatsError: see :mod:`doctor.resources.nats`.
    """
    streams = await nats.streams() if nats.server.jetstream else ()
    ours = tuple(stream for stream in streams if subject and any(carries(one, subject) for one in stream.subjects))
    consumers = [consumer for stream in ours for consumer in await nats.consumers(stream.name)]
    wanted = [
        consumer
        for consumer in consumers
        if not consumer.filter_subjects or any(carries(one, subject or "") for one in consumer.filter_subjects)
    ]
    return QueueState(subject or "", ours, tuple(one for one in streams if one not in ours), tuple(wanted))


async def waiting_messages(nats: Nats, state: QueueState) -> tuple[StoredMessage, ...]:
    """Return the first tasks that no consumer was given yet, without taking them.

    Raises:
        NatsError: see :mod:`doctor.resources.nats`.
    """
    found: list[StoredMessage] = []
    for stream in state.streams:
        given = [consumer.delivered_sequence for consumer in state.consumers if consumer.stream == stream.name]
        sequence = max(given, default=0) + 1
        while len(found) < PEEKED and sequence <= stream.last_sequence:
            message = await nats.next_message(stream.name, state.subject, sequence)
            if message is None:
                break
            found.append(message)
            sequence = message.sequence + 1
    return tuple(found)


def task_name(message: StoredMessage) -> str:
    """Return the name of the task in a message of TaskIQ; empty for any other message."""
    try:
        return bounded(redact(str(json.loads(message.data)["task_name"])), 200)
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def judge_queue(
    before: QueueState,
    after: QueueState,
    processes: Sequence[Process],
    *,
    batch: int,
    all_seen: bool,
    now: datetime,
) -> QueueVerdict:
    """Compare two looks at a queue.

    ``batch``: see :func:`doctor.brokers.batch_size`. ``all_seen``: workers elsewhere are not to be expected, because
    the server is on this machine.
    """
    earlier = {(consumer.stream, consumer.name): consumer for consumer in before.consumers}
    workers = [process for process in processes if process.kind == "worker"]
    others = [process for process in processes if process.kind == "api"]
    for consumer in after.consumers:
        same = earlier.get((consumer.stream, consumer.name))
        unmoved = same is not None and same.ack_floor_sequence == consumer.ack_floor_sequence
        is_overdue = unmoved and _is_overdue(consumer, workers, now)
        is_served = bool(workers) or not all_seen or _is_asked(consumer)
        found = _stuck(consumer, batch, unmoved=unmoved, is_overdue=is_overdue and is_served) or _taken(
            consumer, workers, others, all_seen=all_seen, unmoved=unmoved, is_overdue=is_overdue
        )
        if found is not None:
            return found
    if any(_is_asked(consumer) for consumer in after.consumers):
        full = next((consumer for consumer in after.consumers if _is_full(consumer)), None)
        if full is None:
            return QueueVerdict(None, "worker idle, asks for tasks")
        return QueueVerdict(None, f"worker busy with {full.num_ack_pending} of at most {full.max_ack_pending}")
    if after.unacknowledged and (workers or not (all_seen or _is_old(after, now))):
        return QueueVerdict(None, f"worker busy with {after.unacknowledged} unacknowledged")
    if workers:
        evidence = f"a worker process runs (pid {workers[0].pid}) but asks for nothing"
        return QueueVerdict(Standstill.LOST_REQUEST, evidence)
    return QueueVerdict(Standstill.NO_WORKER, "no worker runs here")


def _stuck(consumer: Consumer, batch: int, *, unmoved: bool, is_overdue: bool) -> QueueVerdict | None:
    """Return what stops a consumer that is being asked: its own limits, or a worker that waits for more.

    As many tasks as the limit allows are a busy worker's, until the server has waited ``ack_wait`` for an answer: who
    limits what runs at once by ``max_ack_pending`` is at the limit whenever there is enough to do.
    """
    if consumer.paused:
        return QueueVerdict(Standstill.PAUSED, f"`{consumer.name}` is paused on the server", consumer)
    if not unmoved:
        return None
    held = consumer.num_ack_pending
    if is_overdue and _is_full(consumer):
        return QueueVerdict(
            Standstill.ACK_LIMIT,
            f"{held} of at most {consumer.max_ack_pending} are delivered and not acknowledged for longer than ack_wait "
            f"({consumer.ack_wait:g} s), so no more are given",
            consumer,
        )
    if consumer.pull and not consumer.num_pending and 0 < held <= consumer.deliveries % batch:
        return QueueVerdict(
            Standstill.PARTIAL_BATCH,
            f"{held} delivered and not acknowledged; the worker asks for {batch} at once and has no time-out",
            consumer,
        )
    return None


def _taken(
    consumer: Consumer,
    workers: Sequence[Process],
    others: Sequence[Process],
    *,
    all_seen: bool,
    unmoved: bool,
    is_overdue: bool,
) -> QueueVerdict | None:
    """Return a push consumer that belongs to a process that runs no tasks."""
    if consumer.pull or not consumer.push_bound or consumer.deliver_group:
        return None
    held = consumer.num_ack_pending and unmoved
    if others and (is_overdue or not workers):
        evidence = f"`{consumer.name}` is bound, and the API (pid {others[0].pid}) is the only one that can hold it"
        if workers:
            evidence = f"`{consumer.name}` is bound, by the API (pid {others[0].pid}): its tasks are never acknowledged"
        return QueueVerdict(Standstill.TAKEN, evidence, consumer)
    if not others and not workers and all_seen and held:
        evidence = f"`{consumer.name}` is bound to a process that is no worker of this machine"
        return QueueVerdict(Standstill.TAKEN, evidence, consumer)
    return None


def _is_asked(consumer: Consumer) -> bool:
    """Tell whether somebody is there: a pull request is open, or a push consumer has a listener."""
    return bool(consumer.num_waiting) or (consumer.push_bound and not consumer.pull)


def _is_full(consumer: Consumer) -> bool:
    """Tell whether tasks wait because as many as the consumer allows are unacknowledged."""
    return 0 < consumer.max_ack_pending <= consumer.num_ack_pending and consumer.num_pending > 0


def _is_overdue(consumer: Consumer, workers: Sequence[Process], now: datetime) -> bool:
    """Tell whether the server has waited in vain for every answer: ``ack_wait`` is over, or it has delivered again.

    What was delivered again to a worker that has just been started was its predecessor's; it takes one ``ack_wait``
    until it comes, and has another one to be done.
    """
    if not consumer.num_ack_pending:
        return False
    wait = timedelta(seconds=consumer.ack_wait)
    if consumer.last_active is not None and now - consumer.last_active > wait:
        return True
    is_new = any(now - worker.started_at <= 2 * wait for worker in workers)
    return consumer.num_redelivered >= consumer.num_ack_pending and not is_new


def _is_old(state: QueueState, now: datetime) -> bool:
    """Tell whether every consumer with unacknowledged tasks has given none out for longer than it waits for an answer.

    A worker that lives is given such tasks again.
    """
    holding = [consumer for consumer in state.consumers if consumer.num_ack_pending]
    return all(
        consumer.last_active is not None and now - consumer.last_active > timedelta(seconds=consumer.ack_wait)
        for consumer in holding
    )
