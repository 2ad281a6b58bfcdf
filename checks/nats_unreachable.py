"""NATS cannot be reached.

## What it finds
The address in `NATS_URL` (or the variable named in `[target] nats_env`) does not lead to a NATS server: nothing
listens, the name does not resolve, something else answers, or the credentials are refused.

## Why it hurts
NATS carries every task. Without it the webhook cannot hand anything on, and no worker receives anything. A service that
connects at its start is not even up: nats-py tries 60 times, 2 s apart, unless `max_reconnect_attempts` says otherwise.

## How it is told from its look-alikes
The client library hides the reason behind "no servers available"; the doctor reads it from the connection's error
callback. A server that answers in another protocol (for example the HTTP monitoring port 8222) is named as such. A bare
name, as only containers know it (`nats` from a laptop), is no outage: then nobody can tell from here, and the reason
says with which command one can.

## How to fix
Start the server, or correct the address where the finding says it came from.

## False positives
A server that is reachable from the application's network but not from here. Run the doctor where the application runs.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    CouldNotTellError,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Nats,
    NatsUnreachable,
    Observation,
    Resource,
    Severity,
    check,
    service_elsewhere,
)

ROUND_TRIPS = 3
"""The shortest counts: in the others the answer waited for the doctor, which is busy with other checks."""

PATIENCE = "tries for two minutes before it fails, and serves nothing meanwhile"
"""What nats-py 2 does by default: 60 attempts, 2 s apart."""


@check(
    "NAT001",
    "nats-unreachable",
    severity=Severity.CRITICAL,
    tags=["live"],
    guards="nats",
    mechanisms=[
        Mechanism("NAT001", "CHN002", "a task that cannot be enqueued ends as a dead letter", ("service",)),
    ],
)
async def nats_unreachable(nats: Nats, environment: Environment) -> AsyncIterator[Finding | Observation]:
    """Connect and measure the way there and back."""
    try:
        await nats.open()
        round_trip = min([await nats.round_trip() for _ in range(ROUND_TRIPS)])
    except NatsUnreachable as error:
        where = await service_elsewhere(environment, nats.endpoint.address, error.reason)
        if where is not None:
            raise CouldNotTellError(f"cannot tell from here: {where.why}. This can: {where.command}") from error
        yield Finding(
            code="NAT001",
            resource=Resource("service", "nats"),
            symptom=f"NATS at {nats.endpoint.address}: {error.reason.explanation}",
            cause=f"NATS: {error.reason.explanation}",
            severity=Severity.CRITICAL,
            impacts=("no task is enqueued or run", f"what connects at its start {PATIENCE}"),
            evidence=(
                Evidence(
                    EvidenceKind.NATS,
                    nats.endpoint.address,
                    f"{error.reason}: {error.detail or error.reason.explanation}",
                ),
            ),
            rule="every task travels over it",
            fixes=(FixOption.by_hand(error.reason.remedy, f"the address comes from {nats.endpoint.origin}"),),
            validation="doctor check --select NAT001",
        )
        return
    yield Observation(f"NATS {nats.server.version}, round trip {round_trip * 1000:.1f} ms", rules_out="NATS down")
