"""The settings of a TaskIQ broker lose tasks, run them twice, or never let the stream shrink.

## What it finds
Constructions of the brokers of `taskiq-nats`:

- `NatsBroker(…)` without `queue`: every worker process gets every task, and the worker starts two by default;
- `PullBasedJetStreamBroker(…)` without `pull_consume_timeout`: after a restart of NATS it waits for ever; with a
  `pull_consume_batch` above 1 it also waits until a batch is full before it runs any task of it;
- a JetStream broker whose `ack_wait` is below 60 s (the default is 30): a task that runs longer is delivered again, and
  runs twice in parallel;
- a JetStream broker whose stream has neither limits nor another retention: it keeps every task for ever;
- `PushBasedJetStreamBroker(…)`: only one process can bind its consumer, with or without `queue` (error 10013). As the
  API binds it too, the workers die at their start again and again, or the API swallows the tasks.

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
many = PullBasedJetStreamBroker("nats://localhost:4222", pull_consume_batch=50)
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
    title: str = ""
    value: str = ""
    by_hand: str = ""


_NO_QUEUE = _Problem(
    "queue",
    "has no queue group, so every worker process runs every task",
    "each task runs once per worker process",
    Severity.ERROR,
    'give it queue="workers"',
    '"workers"',
)
_PUSH = _Problem(
    "class",
    "lets one process consume, and the API is one already",
    "the workers die at their start again and again, or the API swallows the tasks",
    Severity.WARNING,
    by_hand="use PullBasedJetStreamBroker in place of the push consumer",
)
_NO_TIMEOUT = _Problem(
    "pull_consume_timeout",
    "pulls without a time-out, so it waits for ever after a restart of NATS",
    "no task runs any more, and the worker's process is alive",
    Severity.WARNING,
    "give it pull_consume_timeout=1",
    "1",
)
_WAITS_FOR_BATCH = _Problem(
    "pull_consume_timeout",
    "waits until a batch is full before it runs a task of it, and for ever after a restart of NATS",
    "the last tasks of the day run twice, or not at all",
    Severity.ERROR,
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
)


@check(
    "NAT003",
    "broker-settings",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[Example("all three with hardly more than an address", {"app/broker.py": _BAD})],
    good=[Example("everything given, or not readable", {"app/broker.py": _GOOD})],
)
def broker_settings(source: Source) -> Iterator[Finding]:
    """Judge every broker by what it is given."""
    for broker in source.collected(COLLECTOR):
        for problem in _problems(broker):
            yield _finding(broker, problem)


def _problems(broker: BrokerCall) -> Iterator[_Problem]:
    if broker.unknown or not broker.kind:  # a class of the target's own may set what it is not given
        return
    given = broker.settings
    if broker.kind == "NatsBroker":
        if "queue" not in given:
            yield _NO_QUEUE
        return
    if broker.kind == "PushBasedJetStreamBroker":
        yield _PUSH
    if broker.kind == "PullBasedJetStreamBroker" and "pull_consume_timeout" not in given:
        yield _WAITS_FOR_BATCH if dict(broker.values).get("pull_consume_batch", 1) != 1 else _NO_TIMEOUT
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
        cause=_cause(problem),
        severity=problem.severity,
        subject=f"{broker.kind} {problem.setting}",
        group=problem.setting,
        impacts=(problem.impact,),
        evidence=(Evidence(EvidenceKind.CODE, place, broker.text),),
        rule="taskiq-nats 0.7: the defaults are no queue group, no time-out, 30 s, no limits",
        fixes=(_option(broker, problem),),
        validation="doctor check --select NAT003",
    )


def _cause(problem: _Problem) -> str:
    if problem is _PUSH:
        return "a push consumer is bound by one process"
    return "`ack_wait` is too short" if problem is _SHORT else f"`{problem.setting}` is not set"


def _option(broker: BrokerCall, problem: _Problem) -> FixOption:
    place = f"{broker.path}:{broker.line}"
    has_consumer = "consumer_config" in broker.settings
    if problem.by_hand:
        return FixOption.by_hand(f"{problem.by_hand} in {place}", "the consumer and what waits for it are made anew")
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
