"""A stream at its limit refuses new tasks, or has dropped tasks that nobody had run.

## What it finds
- A stream with `discard=new` that is full: what is published is refused (JetStream's error 10077).
- A stream that has dropped tasks at a limit of number, bytes or age before they were ever delivered: its first message
  is beyond the next one that its consumer would get.

## Why it hurts
Refused tasks fail where they are sent, which may be swallowed there. Dropped ones are gone without any error at all.

## How it is told from its look-alikes
A backlog that is merely long is no fault here: the numbers of the stream are compared with its own limits, and the next
task of the consumer with the first one that is left. A payload that is too large is NAT008. Tasks that were removed by
hand leave the same gap; it counts only where a limit could have made it.

## How to fix
Find out why nobody takes the tasks (WRK001), then raise the limit. Let a full queue refuse (`discard=new`) rather than
drop: then the sender hears of it. Dropped tasks can only be sent again: `doctor fix` does so for rows that wait.

## False positives
Tasks of which only the latest are wanted.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Chain,
    Consumer,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Nats,
    Observation,
    Resource,
    Severity,
    Source,
    Stream,
    check,
    counted,
    queue_state,
    queue_subject,
)

FULL = 0.999
"""Share of `max_bytes`: beyond it, hardly another task fits."""


@check(
    "NAT007",
    "stream-full",
    severity=Severity.CRITICAL,
    tags=["live"],
    after=["NAT002", "NAT004"],
    mechanisms=[
        Mechanism("NAT007", "CHN001", "tasks that the stream refused or dropped are never run", ("service",)),
        Mechanism("NAT007", "CHN002", "a task that the stream refuses ends as a dead letter", ("service",)),
    ],
)
async def stream_full(
    nats: Nats, chain: Chain | None = None, source: Source | None = None
) -> AsyncIterator[Finding | Observation]:
    """Compare the stream with its limits, and with what its consumers have been given."""
    state = await queue_state(nats, queue_subject(chain, source))
    for stream in state.streams:
        share = max(_share(stream.messages, stream.max_messages), _share(stream.bytes, stream.max_bytes))
        if stream.discard == "new" and share >= FULL:
            yield _refusing(stream)
        for consumer in state.consumers:
            gap = stream.first_sequence - consumer.delivered_sequence - 1
            if consumer.stream == stream.name and gap > 0 and (share >= FULL or stream.max_age > 0):
                yield _dropping(stream, consumer, gap)
        if share < FULL:
            yield Observation(f"stream {share:.0%} full", rules_out="stream full")


def _share(there: int, limit: int) -> float:
    return there / limit if limit > 0 else 0.0


def _refusing(stream: Stream) -> Finding:
    return _finding(
        stream,
        "refusing",
        f"`{stream.name}` is full and refuses new tasks",
        "discard=new, and the limit is reached",
        "every task that is published now fails where it is sent",
        "JetStream answers a publish to a full stream with error 10077 when discard is `new`",
    )


def _dropping(stream: Stream, consumer: Consumer, gap: int) -> Finding:
    return _finding(
        stream,
        f"dropping {consumer.name}",
        f"`{stream.name}` has dropped {counted(gap, 'task')} before `{consumer.name}` was given "
        f"{'it' if gap == 1 else 'them'}",
        "a limit of the stream, with discard=old" if stream.max_age <= 0 else "max_age of the stream",
        "accepted work is lost, without an error anywhere",
        f"the first message left is {stream.first_sequence}, the consumer would get {consumer.delivered_sequence + 1}",
    )


def _finding(stream: Stream, subject: str, symptom: str, cause: str, impact: str, rule: str) -> Finding:
    limits = f"max_msgs {stream.max_messages}, max_bytes {stream.max_bytes}, max_age {stream.max_age:g} s"
    return Finding(
        code="NAT007",
        resource=Resource("stream", stream.name),
        symptom=symptom,
        cause=cause,
        severity=Severity.CRITICAL,
        subject=subject,
        related=(Resource("service", "jetstream"), Resource("service", "nats")),
        impacts=(impact,),
        evidence=(
            Evidence(
                EvidenceKind.NATS,
                f"stream info {stream.name}",
                f"{stream.messages} messages, {stream.bytes} bytes; {limits}, discard {stream.discard}; "
                f"sequences {stream.first_sequence} to {stream.last_sequence}",
            ),
        ),
        rule=rule,
        fixes=(
            FixOption.by_hand("let the workers catch up, then raise the limit", "how much may wait is your decision"),
        ),
        validation="doctor check --select NAT007",
    )
