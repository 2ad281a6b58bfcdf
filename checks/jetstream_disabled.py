"""JetStream is off although tasks depend on it.

## What it finds
The NATS server answers but runs without JetStream, and the source does not say that its tasks need none.

## Why it hurts
Tasks are published to a stream. Without JetStream there is none: publishing fails, or tasks of plain NATS are lost
whenever no worker happens to listen.

## How it is told from its look-alikes
The server's own greeting says whether JetStream is on. Its `/healthz` page does not: it answers 200 with JetStream
off (measured on nats-server 2.15.1), so a green health page proves nothing here. Where every broker of the tasks is a
`NatsBroker`, which is plain NATS, JetStream is not needed: then the check passes, and who listens is WRK004's question.

## How to fix
Start the server with `-js` and a storage directory, or add a `jetstream {}` block to its configuration.

## False positives
A pipeline on plain NATS by choice, whose source is not at hand or makes its broker in another way. Leave the check out
with `--ignore NAT002`.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Chain,
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
    check,
    is_core_nats,
    queue_subject,
)


@check(
    "NAT002",
    "jetstream-disabled",
    severity=Severity.CRITICAL,
    tags=["live"],
    mechanisms=[Mechanism("NAT002", "CHN002", "a task that no stream can hold ends as a dead letter", ("service",))],
)
async def jetstream_disabled(
    nats: Nats, chain: Chain | None = None, source: Source | None = None
) -> AsyncIterator[Finding | Observation]:
    """Read the greeting, and ask the source whether its tasks need JetStream."""
    if nats.server.jetstream:
        yield Observation("JetStream on", rules_out="JetStream off")
        return
    subject = queue_subject(chain, source)
    if is_core_nats(source, subject):
        yield Observation(f"JetStream off, and `{subject}` belongs to plain NATS: NatsBroker needs none")
        return
    yield Finding(
        code="NAT002",
        resource=Resource("service", "jetstream"),
        symptom=f"NATS {nats.server.version} at {nats.endpoint.address} runs without JetStream",
        cause="the server was started without JetStream",
        severity=Severity.CRITICAL,
        related=(Resource("service", "nats"),),
        impacts=("no task is stored or delivered",),
        evidence=(Evidence(EvidenceKind.NATS, "INFO", "the greeting has no `jetstream: true`"),),
        fixes=(
            FixOption.by_hand("start nats-server with -js and a storage directory", "it is the server's own setting"),
        ),
        rule="without JetStream there is no stream that could hold a task",
        validation="doctor check --select NAT002",
    )
