"""Tasks are too large for NATS to take.

## What it finds
Dead letters within the look-back whose error says that the payload was too large, with the limit of the server
(`max_payload`) and of the stream (`max_msg_size`).

## Why it hurts
A task that carries texts, vectors or files in its arguments works until one is longer than 1 MiB. Then it cannot be
enqueued at all, and no number of attempts helps.

## How it is told from its look-alikes
NATS itself says the limit when it greets. A full stream refuses small tasks too, with another error (NAT007), and so
does a stream that is missing (NAT004). TaskIQ hides all of them behind "Cannot send task to the queue"; the words of
the cause must be in the dead letter. Those words are the sender's: they claim, the limit alone is measured. So this is
never of more than medium confidence as a cause.

## How to fix
Send the key of a row, not the row. Raising `max_payload` makes every hop slower, and 8 MiB is the advised maximum.

## False positives
A sender that has been repaired since, or one that quotes these words. Delete its dead letters, or let them leave the
look-back.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Chain,
    Database,
    Evidence,
    EvidenceKind,
    FailedFor,
    Finding,
    FixOption,
    Mechanism,
    Nats,
    Observation,
    Provenance,
    Resource,
    Severity,
    check,
    counted,
    failed_for,
    queue_state,
)

WORDS = ("maximum payload exceeded", "maximum payload violation", "message size exceeds maximum allowed")
"""nats-py's MaxPayloadError, the server's own error, and JetStream's error 10054."""


@check(
    "NAT008",
    "payload-too-large",
    severity=Severity.ERROR,
    tags=["live"],
    after=["NAT002"],
    mechanisms=[Mechanism("NAT008", "CHN002", "the task is larger than NATS takes", ("task",))],
)
async def payload_too_large(nats: Nats, database: Database, chain: Chain) -> AsyncIterator[Finding | Observation]:
    """Look for the words of the refusal, and at the limits."""
    failed = await failed_for(database, chain, WORDS)
    state = await queue_state(nats, chain.queue_subject)
    limits = [nats.server.max_payload, *(one.max_message_size for one in state.streams if one.max_message_size > 0)]
    limit = f"{min(limits):,} bytes"
    for group in failed:
        yield _finding(group, limit, chain.failed_tasks_table or "")
    if not failed:
        yield Observation(f"messages up to {limit}", rules_out="payload too large")


def _finding(group: FailedFor, limit: str, table: str) -> Finding:
    return Finding(
        code="NAT008",
        resource=Resource("task", group.task.replace(":", ".")),
        symptom=f"`{group.task}` could not be sent {counted(group.count, 'time')}: its payload is above {limit}",
        cause="the arguments of the task are too large",
        severity=Severity.ERROR,
        impacts=("this work can never be enqueued, however often it is tried",),
        evidence=(
            Evidence(EvidenceKind.NATS, "INFO", f"the server takes at most {limit}"),
            Evidence(EvidenceKind.SQL, table, group.error, provenance=Provenance.CLAIMED),
        ),
        rule="NATS refuses a message above max_payload",
        fixes=(FixOption.by_hand("send the key of the row instead of its content", "the task's signature changes"),),
        validation="doctor check --select NAT008",
    )
