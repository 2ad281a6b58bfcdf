"""Tasks are delivered again while they run.

## What it finds
A consumer that has delivered tasks more than once, while its `ack_wait` is shorter than the longest execution in the
log of executions (`executions_table` in `[chain]`).

## Why it hurts
TaskIQ acknowledges a task when it is done. After `ack_wait` without a word JetStream gives the task to the next worker,
while the first still works on it: every slow task runs twice or more, in parallel, and costs as much.

## How it is told from its look-alikes
By the numbers: deliveries beyond the tasks there are, and seconds. A worker that was killed, and a task that was given
back on purpose, are delivered again too; then no execution is longer than `ack_wait`, and that is said. Code that tells
the queue "in progress" may take as long as it likes. A sender that enqueues twice makes two tasks with ids of their
own: nothing is delivered again. Plain NATS without a queue group is WRK004.

## How to fix
Raise `ack_wait` above the longest task with all its retries, or call `in_progress()` while it runs. A consumer gets a
new `ack_wait` when its worker starts again.

## False positives
The long execution is older than the setting. It leaves the look-back by itself.
"""

from collections.abc import AsyncIterator, Iterator

from doctor.api import (
    Chain,
    Consumer,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    LongestExecution,
    Mechanism,
    Nats,
    Observation,
    Resource,
    Severity,
    Source,
    check,
    counted,
    longest_execution,
    queue_state,
    queue_subject,
)
from doctor.source.collectors.progress_reports import COLLECTOR as IN_PROGRESS


@check(
    "WRK003",
    "task-runs-twice",
    severity=Severity.ERROR,
    tags=["live"],
    after=["NAT002", "NAT004"],
    mechanisms=[Mechanism("WRK003", "CHN002", "the second run of a task fails at what the first has done", ("task",))],
)
async def task_runs_twice(
    nats: Nats, chain: Chain | None = None, source: Source | None = None, database: Database | None = None
) -> AsyncIterator[Finding | Observation]:
    """Compare deliveries with tasks, and the longest execution with ack_wait."""
    state = await queue_state(nats, queue_subject(chain, source))
    longest = None
    if chain is not None and database is not None:
        longest = await longest_execution(database, chain)
    reports = source.collected(IN_PROGRESS) if source is not None else ()
    for consumer in state.consumers:
        again = _again(consumer)
        if not again:
            yield Observation("nothing delivered twice", rules_out="tasks delivered twice")
        elif reports:
            told = f"{reports[0].path}:{reports[0].line} tells the queue that a task is in progress"
            yield Observation(f"{again} delivered again; {told}", rules_out="ack_wait too short")
        elif longest is not None and longest.seconds <= consumer.ack_wait:
            measured = f"the longest execution took {longest.seconds:.1f} s, ack_wait is {consumer.ack_wait:g} s"
            yield Observation(
                f"{again} delivered again, of a worker that died or gave them back: {measured}",
                rules_out="ack_wait too short",
            )
        elif longest is not None or consumer.num_redelivered:
            yield _finding(consumer, again, longest)
            for refuted in _ruled_out(consumer, again):
                yield refuted


def _ruled_out(consumer: Consumer, again: int) -> Iterator[Observation]:
    same = f"{again} of {consumer.deliveries} deliveries were of a message that had been delivered before"
    yield Observation(same, rules_out="task sent twice")
    yield Observation(f"`{consumer.name}` gives each task to one worker at a time", rules_out="no queue group")


def _again(consumer: Consumer) -> int:
    """Return how many deliveries were repetitions, at least: there were more than the stream has messages."""
    return max(consumer.num_redelivered, consumer.deliveries - consumer.delivered_sequence)


def _finding(consumer: Consumer, again: int, longest: LongestExecution | None) -> Finding:
    resource = Resource("consumer", f"{consumer.stream}/{consumer.name}")
    task = f"`{longest.task}` took {longest.seconds:.1f} s" if longest else "how long tasks take is not written down"
    evidence = [
        Evidence(
            EvidenceKind.NATS,
            f"consumer info {consumer.name}",
            f"{consumer.deliveries} deliveries up to message {consumer.delivered_sequence}, num_redelivered "
            f"{consumer.num_redelivered}, ack_wait {consumer.ack_wait:g} s",
        )
    ]
    if longest:
        evidence.append(Evidence(EvidenceKind.SQL, longest.table, f"longest execution: {task}"))
    return Finding(
        code="WRK003",
        resource=resource,
        symptom=f"{counted(again, 'repeated delivery', 'repeated deliveries')} of `{consumer.name}`: ack_wait is "
        f"{consumer.ack_wait:g} s, {task}",
        cause="`ack_wait` is shorter than the task" if longest else "`ack_wait` is too short, or a worker has died",
        severity=Severity.ERROR if longest else Severity.WARNING,
        related=(
            Resource("service", "worker"),
            *([Resource("task", longest.task.replace(":", "."))] if longest else []),
        ),
        impacts=("slow tasks run twice or more, in parallel",),
        evidence=tuple(evidence),
        rule="JetStream delivers again what is not acknowledged within ack_wait; TaskIQ acknowledges at the end"
        if longest
        else "",
        fixes=(
            FixOption.by_hand(
                "raise ack_wait above the longest task with all its retries",
                "how long a task may take is known to you alone",
                code="consumer_config=ConsumerConfig(durable_name=…, ack_wait=600)",
            ),
        ),
        validation="doctor check --select WRK003",
    )
