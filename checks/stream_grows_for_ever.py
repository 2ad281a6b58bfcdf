"""A stream keeps every task that was ever done.

## What it finds
A stream of tasks with retention `limits` and without any limit, that still holds tasks which every consumer has
acknowledged.

## Why it hurts
taskiq-nats only acknowledges; it removes nothing. The stream grows until the disk is full, and then no task can be
published any more. A new consumer would also run all of them again.

## How it is told from its look-alikes
Tasks that wait are a backlog, not a growth: only those count that all consumers have acknowledged. A stream with a
limit of age, number or bytes, or with the retention `workqueue` or `interest`, drops what is done. How much a day is an
estimate: what is there, by the age of the stream.

## How to fix
Give the broker `stream_config=StreamConfig(retention=RetentionPolicy.WORK_QUEUE)`. A stream that exists keeps its
retention: let the queue run empty, delete the stream, and start worker and API again. A limit can be set at once.

## False positives
A stream that is kept as an archive on purpose. Leave the check out with `--ignore NAT005`.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from doctor.api import (
    Chain,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Nats,
    Observation,
    Provenance,
    QueueState,
    Resource,
    Severity,
    Source,
    Stream,
    check,
    counted,
    queue_state,
    queue_subject,
)

DAY = 86_400.0
LEAST_AGE = 3600.0
"""Seconds; what a younger stream holds says nothing about a day."""


@check("NAT005", "stream-grows-for-ever", severity=Severity.WARNING, tags=["live"], after=["NAT002", "NAT004"])
async def stream_grows_for_ever(
    nats: Nats, chain: Chain | None = None, source: Source | None = None
) -> AsyncIterator[Finding | Observation]:
    """Compare what a stream holds with what is still to be done."""
    state = await queue_state(nats, queue_subject(chain, source))
    for stream in state.streams:
        done = _done(stream, state)
        if _is_bounded(stream):
            yield Observation(_limits(stream), rules_out="storage growing for ever")
        elif done:
            yield _finding(stream, done)
        else:
            yield Observation("the stream has no limit, and nothing that is done")


def _is_bounded(stream: Stream) -> bool:
    limited = stream.max_age > 0 or stream.max_messages > 0 or stream.max_bytes > 0
    return stream.retention != "limits" or limited


def _done(stream: Stream, state: QueueState) -> int:
    """Return how many of its messages every consumer has acknowledged; none where nobody consumes."""
    floors = [consumer.ack_floor_sequence for consumer in state.consumers if consumer.stream == stream.name]
    done = min(floors, default=0) - stream.first_sequence + 1
    return max(0, min(done, stream.messages))


def _limits(stream: Stream) -> str:
    limits = [
        f"at most {stream.max_messages:,} messages" if stream.max_messages > 0 else "",
        f"at most {stream.max_bytes:,} bytes" if stream.max_bytes > 0 else "",
        f"for {stream.max_age:,.0f} s" if stream.max_age > 0 else "",
    ]
    return ", ".join([f"retention {stream.retention}", *filter(None, limits)])


def _finding(stream: Stream, done: int) -> Finding:
    age = (datetime.now(UTC) - stream.created).total_seconds() if stream.created else 0.0
    evidence = [
        Evidence(
            EvidenceKind.NATS,
            f"stream info {stream.name}",
            f"retention limits, no max_age, max_msgs, max_bytes; {stream.messages:,} messages, {stream.bytes:,} bytes, "
            f"{done:,} acknowledged",
        )
    ]
    if age > LEAST_AGE:
        daily = f"about {stream.bytes / age * DAY / 1e6:,.1f} MB a day"
        evidence.append(
            Evidence(EvidenceKind.NATS, "bytes by the stream's age", daily, provenance=Provenance.ESTIMATED)
        )
    return Finding(
        code="NAT005",
        resource=Resource("stream", stream.name),
        symptom=f"`{stream.name}` still holds {counted(done, 'task')} that {'is' if done == 1 else 'are'} done",
        cause="its retention is `limits`, and it has no limit",
        severity=Severity.WARNING,
        related=(Resource("service", "jetstream"),),
        impacts=("the disk fills up, and then no task can be published",),
        evidence=tuple(evidence),
        rule="taskiq-nats 0.7 acknowledges tasks and never deletes them",
        fixes=(
            FixOption.by_hand(
                f"limit `{stream.name}` now, and give the broker the retention WORK_QUEUE",
                "what is kept for how long is your decision",
                code=f"nats stream edit {stream.name} --max-age 7d",
            ),
        ),
        validation="doctor check --select NAT005",
    )
