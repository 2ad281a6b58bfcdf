"""The settings of a TaskIQ broker lose tasks, run them twice, or never let the stream shrink.

## What it finds
Constructions of the brokers of `taskiq-nats`:

- `NatsBroker(…)` without `queue`: every worker process gets every task, and the worker starts two by default;
- `PullBasedJetStreamBroker(…)` without `pull_consume_timeout`: after a restart of NATS it waits for ever;
- a JetStream broker whose `ack_wait` is below 60 s (the default is 30): a task that runs longer is delivered again, and
  runs twice in parallel;
- a JetStream broker whose stream has neither limits nor another retention: it keeps every task for ever;
- `PushBasedJetStreamBroker(…)` without `queue`: a second process cannot bind the consumer.

## Why it hurts
Messages are extracted twice, or not at all, and nothing fails. A worker that waits for ever looks healthy.

## How it is told from its look-alikes
Only classes imported from `taskiq_nats` count. Where keywords come from a dictionary, or a configuration object is made
somewhere else, what cannot be read is taken to be right.

## How to fix
Give the setting. `doctor fix --unsafe-fixes` writes it; unsafe, because the behaviour of the queue changes. A stream
that exists keeps its old settings: taskiq-nats reuses it without a word.

## False positives
A single worker process; tasks that end in a second; a stream that is pruned from outside.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from doctor.api import (
    Applicability,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Severity,
    Source,
    check,
)
from doctor.source.collectors.broker_settings import COLLECTOR, BrokerCall

SHORT_ACK_WAIT = 60.0
"""Seconds; one call of a language model may take as long."""

_BAD = """\
from taskiq_nats import NatsBroker, PullBasedJetStreamBroker, PushBasedJetStreamBroker

plain = NatsBroker("nats://localhost:4222")
pull = PullBasedJetStreamBroker("nats://localhost:4222")
push = PushBasedJetStreamBroker("nats://localhost:4222")
"""
_GOOD = """\
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig
from taskiq import InMemoryBroker
from taskiq_nats import NatsBroker, PullBasedJetStreamBroker

from settings import OPTIONS

memory = InMemoryBroker()
plain = NatsBroker("nats://localhost:4222", queue="workers")
dynamic = PullBasedJetStreamBroker("nats://localhost:4222", **OPTIONS)
pull = PullBasedJetStreamBroker(
    "nats://localhost:4222",
    pull_consume_timeout=1,
    stream_config=StreamConfig(retention=RetentionPolicy.WORK_QUEUE),
    consumer_config=ConsumerConfig(durable_name="taskiq_durable", ack_wait=600),
)
"""


@dataclass(frozen=True, slots=True)
class _Problem:
    setting: str
    symptom: str
    impact: str
    severity: Severity
    title: str
    value: str


_NO_QUEUE = _Problem(
    "queue",
    "has no queue group, so every worker process runs every task",
    "each task runs once per worker process",
    Severity.ERROR,
    'give it queue="workers"',
    '"workers"',
)
_PUSH_WITHOUT_QUEUE = _Problem(
    "queue",
    "has no queue group, so a second process cannot consume",
    "a second worker dies at its start, or the API takes the tasks",
    Severity.WARNING,
    'give it queue="workers"',
    '"workers"',
)
_NO_TIMEOUT = _Problem(
    "pull_consume_timeout",
    "pulls without a time-out, so it waits for ever after a restart of NATS",
    "no task runs any more, and the worker's process is alive",
    Severity.WARNING,
    "give it pull_consume_timeout=1",
    "1",
)
_SHORT = _Problem(
    "ack_wait",
    "acknowledges after at most {ack_wait:g} s, so a longer task is delivered again while it runs",
    "a slow task runs twice in parallel",
    Severity.WARNING,
    "give its consumer ack_wait=600",
    "600",
)
_GROWS = _Problem(
    "stream_config",
    "has a stream without limits, which keeps every task for ever",
    "the stream grows until the disk is full",
    Severity.INFO,
    "",
    "",
)


@check(
    "NAT003",
    "broker-settings",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[Example("all three with nothing but an address", {"app/broker.py": _BAD})],
    good=[Example("everything given, or not readable", {"app/broker.py": _GOOD})],
)
def broker_settings(source: Source) -> Iterator[Finding]:
    """Judge every broker by what it is given."""
    for broker in source.collected(COLLECTOR):
        for problem in _problems(broker):
            yield _finding(broker, problem)


def _problems(broker: BrokerCall) -> Iterator[_Problem]:
    if broker.unknown:
        return
    given = broker.settings
    if broker.kind == "NatsBroker":
        if "queue" not in given:
            yield _NO_QUEUE
        return
    if broker.kind == "PushBasedJetStreamBroker" and "queue" not in given:
        yield _PUSH_WITHOUT_QUEUE
    if broker.kind == "PullBasedJetStreamBroker" and "pull_consume_timeout" not in given:
        yield _NO_TIMEOUT
    if broker.ack_wait is not None and broker.ack_wait < SHORT_ACK_WAIT:
        yield _SHORT
    if not broker.limits:
        yield _GROWS


def _finding(broker: BrokerCall, problem: _Problem) -> Finding:
    place = f"{broker.path}:{broker.line}"
    return Finding(
        code="NAT003",
        resource=Resource("broker", f"{broker.path}:{broker.name}", broker.path, broker.line),
        symptom=f"`{broker.kind}` in {place} {problem.symptom.format(ack_wait=broker.ack_wait)}",
        cause=f"`{problem.setting}` is not set" if problem is not _SHORT else "`ack_wait` is too short",
        severity=problem.severity,
        subject=f"{broker.kind} {problem.setting}",
        group=problem.setting,
        impacts=(problem.impact,),
        evidence=(Evidence(EvidenceKind.CODE, place, broker.text),),
        rule="taskiq-nats 0.7: the defaults are no queue group, no time-out, 30 s, no limits",
        fixes=(_option(broker, problem),),
        validation="doctor check --select NAT003",
    )


def _option(broker: BrokerCall, problem: _Problem) -> FixOption:
    place = f"{broker.path}:{broker.line}"
    has_consumer = "consumer_config" in broker.settings
    if not problem.title or (problem is _SHORT and has_consumer):
        return FixOption.by_hand(f"correct `{problem.setting}` in {place}", "it depends on how long the tasks may take")
    return FixOption(
        fix="set-broker-setting",
        title=f"{problem.title} in {place}",
        applicability=Applicability.UNSAFE,
        reason="the queue behaves differently from the next start of the worker on",
        arguments={
            "path": broker.path,
            "line": broker.line,
            "name": broker.name,
            "setting": problem.setting,
            "value": problem.value,
        },
        recommended=True,
    )
