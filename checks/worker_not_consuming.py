"""Published tasks wait and no worker runs them.

## What it finds
A queue over JetStream on which nothing moves, and which of these it is:

- no worker runs;
- a worker's process runs and has lost its pull request: for ever after a restart of NATS, when `pull_consume_timeout`
  is not set (taskiq-nats 0.7);
- a worker waits for a full batch: `pull_consume_batch` above 1 without a time-out;
- another process, most often the API, holds the push consumer and swallows what is delivered to it;
- `max_ack_pending` tasks are delivered and not acknowledged within `ack_wait`, so that the server gives out no more;
- the consumer is paused on the server.

## Why it hurts
Tasks pile up in the stream. The webhook goes on answering 200, and nothing else happens.

## How it is told from its look-alikes
By the numbers of the consumer, looked at for a second, and by the processes of this machine. An idle worker keeps a
pull request open (`num_waiting`), a dead one does not. Tasks of a worker that is gone are told from a busy one's by its
process. At `max_ack_pending` a worker is busy until `ack_wait` is over or all tasks are delivered again. A stream that
is missing is NAT004, a task that the worker does not know is WRK002, and plain NATS, which has no stream, is WRK004.

## How to fix
Start the worker, or the one that hangs anew with `pull_consume_timeout=1`; use `PullBasedJetStreamBroker` where API and
worker share a broker; raise `max_ack_pending` above what all workers run at once; resume the consumer.

## False positives
A worker that is started on demand only.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from doctor.api import (
    Chain,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Nats,
    NotApplicableError,
    Observation,
    Process,
    QueueState,
    QueueVerdict,
    Resource,
    Severity,
    Source,
    Standstill,
    batch_size,
    check,
    excluded_standstills,
    judge_queue,
    queue_state,
    queue_subject,
)

SAMPLES = 8
"""Looks at the consumer: a pull request that has just ended is renewed within milliseconds."""

LONGER = 70
"""Looks while a worker has just been started: it imports the application before it asks for anything."""

PAUSE = 0.1
"""Seconds between two looks."""

YOUNG = timedelta(seconds=15)
"""A worker that was started since may not have asked yet."""

REMEDIES = {
    Standstill.NO_WORKER: ("start the worker", ""),
    Standstill.LOST_REQUEST: ("start the worker again, with a time-out of pulling", "pull_consume_timeout=1"),
    Standstill.PARTIAL_BATCH: ("give the broker a time-out of pulling, or batches of 1", "pull_consume_timeout=1"),
    Standstill.TAKEN: ("use PullBasedJetStreamBroker: API and workers can share it", ""),
    Standstill.ACK_LIMIT: ("find the tasks that never end, or raise max_ack_pending", ""),
    Standstill.PAUSED: ("resume the consumer", "nats consumer resume {stream} {consumer}"),
}
"""What to do, and a line to paste."""


@check(
    "WRK001",
    "worker-not-consuming",
    severity=Severity.CRITICAL,
    tags=["live"],
    timeout=10.0,
    after=["NAT002", "NAT004"],
    mechanisms=[
        Mechanism("WRK001", "CHN001", "tasks wait in the stream and nobody takes them", ("service",)),
        Mechanism("WRK001", "EMB001", "the tasks that embed are not run", ("service",)),
    ],
)
async def worker_not_consuming(
    nats: Nats, environment: Environment, chain: Chain | None = None, source: Source | None = None
) -> AsyncIterator[Finding | Observation]:
    """Look at the task consumers a few times; one open pull request is proof of life."""
    subject = queue_subject(chain, source)
    first = state = await queue_state(nats, subject)
    if not state.streams:
        raise NotApplicableError(f"no stream carries `{subject}`")
    processes, batch = environment.processes(), batch_size(source, subject)
    for look in itertools.count(1):
        verdict = judge_queue(first, state, processes, batch=batch, all_seen=nats.is_loopback, now=datetime.now(UTC))
        if verdict.standstill is None or look >= _looks(verdict.standstill, processes):
            break
        await asyncio.sleep(PAUSE)
        state = await queue_state(nats, subject)
    if verdict.standstill in (None, Standstill.LOST_REQUEST):
        yield Observation(verdict.evidence, rules_out="worker down")
    if verdict.standstill is not None:
        for hypothesis, numbers in excluded_standstills(state, verdict.standstill):
            yield Observation(numbers, rules_out=hypothesis)
        yield _finding(state, verdict)


def _looks(standstill: Standstill, processes: Sequence[Process]) -> int:
    """Return after how many looks a standstill is believed: only a request for tasks may still come."""
    if standstill is Standstill.PAUSED:
        return 1
    since = datetime.now(UTC) - YOUNG
    is_young = any(process.kind == "worker" and process.started_at > since for process in processes)
    may_ask = standstill in (Standstill.NO_WORKER, Standstill.LOST_REQUEST)
    return LONGER if is_young and may_ask else SAMPLES


def _finding(state: QueueState, verdict: QueueVerdict) -> Finding:
    assert verdict.standstill is not None  # the caller has one
    counts = "; ".join(
        f"{each.stream}/{each.name}: num_waiting {each.num_waiting}, num_pending {each.num_pending}, "
        f"num_ack_pending {each.num_ack_pending}, num_redelivered {each.num_redelivered}"
        for each in state.consumers
    )
    waiting = state.pending if state.consumers else sum(stream.messages for stream in state.streams)
    taken = f", {state.unacknowledged} are taken" if state.unacknowledged else ""
    title, code = REMEDIES[verdict.standstill]
    of = verdict.consumer
    return Finding(
        code="WRK001",
        resource=Resource("service", "worker"),
        symptom=f"nobody runs the tasks of `{state.subject}`: {waiting} wait{taken}, {verdict.evidence}",
        cause=str(verdict.standstill),
        severity=Severity.CRITICAL,
        group=verdict.standstill.name,
        related=(Resource("service", "nats"),),
        impacts=("tasks pile up and none is run",),
        evidence=(
            Evidence(EvidenceKind.NATS, "consumer info", counts or f"stream `{state.streams[0].name}` has no consumer"),
            Evidence(EvidenceKind.PROCESS, "process list", verdict.evidence),
        ),
        rule="a consumer delivers to who asks, or is bound, and no more than `max_ack_pending`",
        fixes=(
            FixOption.by_hand(
                title,
                "the doctor starts no processes of the target",
                code=code.format(stream=of.stream if of else "", consumer=of.name if of else ""),
            ),
        ),
        validation="doctor check --select WRK001",
    )
