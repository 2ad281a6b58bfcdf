"""JetStream has no stream for the tasks.

## What it finds
JetStream is on, and none of its streams carries the subject of the tasks.

## Why it hurts
A task that is published has nowhere to go: the sender gets "no response from stream", and the worker's pull requests
are never answered. A sender that swallows the error loses the task without a word.

## How it is told from its look-alikes
JetStream that is off is NAT002. The streams that are there are listed: if they belong to another application, the
address leads to another server or account; if one has nearly this subject, the names differ. Where the source shows
nothing but `NatsBroker`, which needs no stream, the check does not apply.

## How to fix
Start the worker or the API again: a broker makes its stream when it starts. If the stream was deleted by hand, its
tasks are gone with it; rows that wait are sent again by `doctor fix` (`requeue`).

## False positives
A pipeline that has never been started.
"""

from collections.abc import AsyncIterator
from difflib import get_close_matches

from doctor.api import (
    Chain,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Nats,
    NotApplicableError,
    Observation,
    QueueState,
    Resource,
    Severity,
    Source,
    check,
    is_core_nats,
    queue_state,
    queue_subject,
)

STREAMS_SHOWN = 5


@check(
    "NAT004",
    "task-stream-missing",
    severity=Severity.CRITICAL,
    tags=["live"],
    after=["NAT002"],
    mechanisms=[
        Mechanism("NAT004", "CHN001", "a task without a stream reaches no worker", ("service",)),
        Mechanism("NAT004", "CHN002", "a task that no stream takes ends as a dead letter", ("service",)),
    ],
)
async def task_stream_missing(
    nats: Nats, chain: Chain | None = None, source: Source | None = None
) -> AsyncIterator[Finding | Observation]:
    """Ask for all streams and look for the subject."""
    subject = queue_subject(chain, source)
    if subject is None:
        raise NotApplicableError("neither doctor.toml nor the source says which subject of NATS the tasks have")
    if is_core_nats(source, subject):
        raise NotApplicableError(f"`{subject}` belongs to plain NATS: NatsBroker needs no stream")
    state = await queue_state(nats, subject)
    if state.streams:
        names = ", ".join(f"`{stream.name}`" for stream in state.streams)
        yield Observation(f"{names} carries `{subject}`", rules_out="stream missing")
        return
    yield _finding(nats, state)


def _finding(nats: Nats, state: QueueState) -> Finding:
    there = [f"{one.name} ({', '.join(one.subjects)})" for one in state.others]
    shown = "; ".join(there[:STREAMS_SHOWN]) + ("; …" if len(there) > STREAMS_SHOWN else "")
    near = get_close_matches(state.subject, [name for one in state.others for name in one.subjects], n=1)
    cause = "the stream was never made, or was deleted"
    if near:
        cause = f"the tasks go to `{state.subject}`, and the stream has `{near[0]}`"
    elif there:
        cause += ", or this is the server of another application"
    return Finding(
        code="NAT004",
        resource=Resource("service", "jetstream"),
        symptom=f"no stream of NATS at {nats.endpoint.address} carries `{state.subject}`",
        cause=cause,
        severity=Severity.CRITICAL,
        related=(Resource("service", "nats"),),
        impacts=("no task is stored or delivered",),
        evidence=(Evidence(EvidenceKind.NATS, "stream list", shown or "no stream at all"),),
        rule="a publish that no stream takes is answered with `no response from stream`",
        fixes=(
            FixOption.by_hand(
                "start worker and API again: the broker makes its stream",
                f"or correct the address, which comes from {nats.endpoint.origin}",
            ),
        ),
        validation="doctor check --select NAT004",
    )
