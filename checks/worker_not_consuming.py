"""No worker takes tasks from the queue.

## What it finds
A stream with a pull consumer for tasks on which nobody asks for messages: no worker runs, or one runs and has lost
its pull request.

## Why it hurts
Tasks pile up in the stream. The webhook goes on answering 200, and nothing else happens.

## How it is told from its look-alikes
An idle worker keeps a pull request open (`num_waiting` above 0). A dead one does not. With a worker process alive on
this machine and no pull request, the process has lost it, which happens for ever after a restart of NATS when
`pull_consume_timeout` is not set (taskiq-nats 0.7). A busy worker shows unacknowledged messages instead and is not
reported.

## How to fix
Start the worker, or restart the one that hangs and set `pull_consume_timeout=1`.

## False positives
A worker that is started on demand only.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from doctor.api import (
    Chain,
    Consumer,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Nats,
    Observation,
    Resource,
    Severity,
    check,
    counted,
)

SAMPLES = 8
"""Looks at the consumer: a pull request that has just ended is renewed within milliseconds."""

LONGER = 70
"""Looks while a worker has just been started: it imports the application before it asks for anything."""

PAUSE = 0.1
"""Seconds between two looks."""

YOUNG = timedelta(seconds=15)
"""A worker that was started since may not have asked yet."""


@check(
    "WRK001",
    "worker-not-consuming",
    severity=Severity.CRITICAL,
    tags=["live"],
    timeout=10.0,
    after=["NAT002"],
    mechanisms=[
        Mechanism("WRK001", "CHN001", "tasks wait in the stream and nobody takes them", ("service",)),
        Mechanism("WRK001", "EMB001", "the tasks that embed are not run", ("service",)),
    ],
)
async def worker_not_consuming(
    nats: Nats, chain: Chain, environment: Environment
) -> AsyncIterator[Finding | Observation]:
    """Look at the task consumers a few times; one open pull request is proof of life."""
    consumers: tuple[Consumer, ...] = ()
    for _ in range(LONGER if _just_started(environment) else SAMPLES):
        consumers = await _task_consumers(nats, chain.queue_subject)
        if any(consumer.num_waiting or consumer.push_bound for consumer in consumers):
            yield Observation("worker idle, asks for tasks", rules_out="worker down")
            return
        await asyncio.sleep(PAUSE)
    if any(consumer.num_ack_pending for consumer in consumers):
        pending = sum(consumer.num_ack_pending for consumer in consumers)
        yield Observation(f"worker busy with {counted(pending, 'task')}", rules_out="worker down")
        return
    processes = [process for process in environment.processes() if process.kind == "worker"]
    waiting = sum(consumer.num_pending for consumer in consumers)
    hangs = (
        f"a worker process runs (pid {processes[0].pid}) but asks for nothing" if processes else "no worker runs here"
    )
    yield Finding(
        code="WRK001",
        resource=Resource("service", "worker"),
        symptom=f"nobody takes tasks from `{chain.queue_subject}`: {waiting} wait, {hangs}",
        cause="the worker lost its pull request" if processes else "the worker is not running",
        severity=Severity.CRITICAL,
        related=(Resource("service", "nats"),),
        impacts=("tasks pile up and none is run",),
        evidence=(
            Evidence(
                EvidenceKind.NATS,
                "consumer info",
                "; ".join(
                    f"{each.stream}/{each.name}: num_waiting {each.num_waiting}, num_pending {each.num_pending}"
                    for each in consumers
                )
                or f"no consumer on a stream with subject {chain.queue_subject}",
            ),
            Evidence(EvidenceKind.PROCESS, "process list", hangs),
        ),
        rule="a pull consumer delivers only to open pull requests",
        fixes=(FixOption.by_hand("start the worker again", "the doctor starts no processes of the target"),),
        validation="doctor check --select WRK001",
    )


def _just_started(environment: Environment) -> bool:
    since = datetime.now(UTC) - YOUNG
    return any(process.kind == "worker" and process.started_at > since for process in environment.processes())


async def _task_consumers(nats: Nats, subject: str) -> tuple[Consumer, ...]:
    streams = [stream for stream in await nats.streams() if subject in stream.subjects]
    found: list[Consumer] = []
    for stream in streams:
        found += await nats.consumers(stream.name)
    return tuple(found)
