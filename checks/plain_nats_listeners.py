"""Plain NATS delivers a task to nobody, or to several workers at once.

## What it finds
Tasks that go over `NatsBroker`, so over NATS without JetStream, while

- nobody listens to their subject: whatever is sent now is lost;
- more than one listens and not as one queue group: each task runs once for every one of them.

## Why it hurts
Plain NATS stores nothing. A task that is sent while the worker restarts is gone, and the sender sees no error. Without
a queue group the two processes that `taskiq worker` starts by default run every task twice.

## How it is told from its look-alikes
JetStream may be on, and healthy, and hold only results: what counts is the broker in the source. Who listens is read
from the monitoring page `/subsz` (`-m 8222`, or `NATS_MONITORING_URL`), without sending anything; without it the answer
is not known. Two runs at the same instant, without a stream, are this;
two runs that are `ack_wait` apart are WRK003.

## How to fix
Start the worker; give the broker `queue="workers"`; or use `PullBasedJetStreamBroker`, which loses nothing.

## False positives
A broadcast that is meant: a cache that every process empties.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    MONITORING_VARIABLES,
    Chain,
    CouldNotTellError,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    MonitoringUnavailableError,
    Nats,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    Source,
    brokers,
    brokers_of,
    check,
    is_core_nats,
    monitoring_url,
    queue_subject,
    subject_listeners,
)


@check(
    "WRK004",
    "task-lost-or-multiplied",
    severity=Severity.CRITICAL,
    tags=["live"],
    mechanisms=[Mechanism("WRK004", "CHN001", "tasks were sent while nobody listened", ("service",))],
)
async def task_lost_or_multiplied(
    nats: Nats, source: Source, environment: Environment, chain: Chain | None = None
) -> AsyncIterator[Finding | Observation]:
    """Ask the monitoring page who listens to the subject."""
    subject = queue_subject(chain, source)
    if not brokers(source):
        raise NotApplicableError("the source makes no broker over NATS")
    if subject is None or not is_core_nats(source, subject):
        return  # the tasks go over JetStream, which keeps them
    given = [variable.value for name in MONITORING_VARIABLES if (variable := environment.get(name)) is not None]
    url = monitoring_url(nats.endpoint.address, next(filter(None, given), None))
    try:
        found = await subject_listeners(url, subject)
    except MonitoringUnavailableError as error:
        raise CouldNotTellError(f"who listens to `{subject}` is not known: {error}") from error
    there = f"{found.copies} of them would get a copy of each task: queue groups {', '.join(found.groups) or 'none'}"
    evidence = (
        Evidence(EvidenceKind.HTTP, f"{url}/subsz?subs=1&test={subject}", f"{there}, without a group {found.alone}"),
        *(Evidence(EvidenceKind.CODE, f"{one.path}:{one.line}", one.text) for one in brokers_of(source, subject)[:2]),
    )
    if found.copies == 0:
        yield _finding(
            "lost",
            f"nobody listens to `{subject}`: a task that is sent now is lost",
            "no worker runs, and plain NATS keeps nothing",
            "every task is lost without an error",
            "start the worker, and use PullBasedJetStreamBroker so that tasks wait for it",
            evidence,
        )
        yield Observation(f"no listener at `{subject}`", rules_out="task multiplied")
    elif found.copies > 1:
        yield _finding(
            "multiplied",
            f"{found.copies} listeners get a copy of every task of `{subject}`",
            "the broker has no queue group",
            f"each task runs {found.copies} times at the same moment",
            'give the broker queue="workers"',
            evidence,
        )
        yield Observation(f"{found.copies} listen to `{subject}`", rules_out="worker down")
        yield Observation("plain NATS delivers nothing a second time", rules_out="ack_wait too short")
    else:
        yield Observation(f"one worker or group listens to `{subject}`", rules_out="worker down")


def _finding(
    subject: str, symptom: str, cause: str, impact: str, remedy: str, evidence: tuple[Evidence, ...]
) -> Finding:
    return Finding(
        code="WRK004",
        resource=Resource("service", "worker"),
        symptom=symptom,
        cause=cause,
        severity=Severity.CRITICAL if subject == "lost" else Severity.ERROR,
        subject=subject,
        related=(Resource("service", "nats"),),
        impacts=(impact,),
        evidence=evidence,
        rule="plain NATS delivers to who listens at that moment, once to each group and each single listener",
        fixes=(FixOption.by_hand(remedy, "the doctor starts no processes, and the setting changes the queue"),),
        validation="doctor check --select WRK004",
    )
