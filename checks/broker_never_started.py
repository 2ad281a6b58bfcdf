"""The API sends tasks through a broker that it never starts.

## What it finds
A broker of `taskiq-nats`, a route of the API that leads to `.kiq(…)`, and nowhere a call of `startup()`, nor one of the
integrations (`taskiq_fastapi` …) that do it.

## Why it hurts
TaskIQ connects a broker in `startup()`. The worker calls it by itself, the API must do so. Without it every `kiq`
fails: `SendTaskError: Cannot send task to the queue`, and behind it "object has no attribute 'js'" with JetStream, or
an "outbound buffer limit" with plain NATS.

## How it is told from its look-alikes
JetStream that is off (NAT002) and a stream that is missing (NAT004) give the same `SendTaskError` with another cause;
they are measured on the server. A wrong order of decorators fails with "no attribute 'kiq'" (TSK001). Any mention of
`.startup` counts as a start, called or handed over. A project without routes may be started elsewhere and is silent.

## How to fix
In the lifespan of the application: `await broker.startup()`, and `await broker.shutdown()` at its end.

## False positives
An application that starts its broker under another name, by a loop over an object's methods.
"""

from collections.abc import Iterator

from doctor.api import (
    BrokerCall,
    Enqueue,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Mechanism,
    Observation,
    Resource,
    Severity,
    Source,
    brokers,
    check,
)
from doctor.source.collectors.broker_starts import COLLECTOR

_BROKER = """\
from taskiq_nats import PullBasedJetStreamBroker

broker = PullBasedJetStreamBroker("nats://localhost:4222", pull_consume_timeout=1)


@broker.task
async def score(message_id: int) -> None: ...
"""
_API = """\
from fastapi import FastAPI

from .tasks import broker, score

app = FastAPI({given})


@app.post("/webhook")
async def webhook(message_id: int) -> None:
    await score.kiq(message_id)
"""
_STARTED = _API.format(given="") + '\n\n@app.on_event("startup")\nasync def start():\n    await broker.startup()\n'
_NO_ROUTE = "from .tasks import score\n\n\nasync def main() -> None:\n    await score.kiq(1)\n"
_HANDED_OVER = _API.format(given="on_startup=[broker.startup]")
_INTEGRATED = "import taskiq_fastapi\n" + _API.format(given="") + '\n\ntaskiq_fastapi.init(broker, "app.api:app")\n'


def _files(api: str) -> dict[str, str]:
    return {"app/__init__.py": "", "app/tasks.py": _BROKER, "app/api.py": api}


@check(
    "TSK012",
    "broker-never-started",
    severity=Severity.ERROR,
    tags=["static"],
    mechanisms=[Mechanism("TSK012", "CHN002", "a broker that is not started sends nothing", ("task",))],
    bad=[Example("a route sends a task", _files(_API.format(given="")))],
    good=[
        Example("the application starts it", _files(_STARTED)),
        Example("its start is handed over", _files(_HANDED_OVER)),
        Example("an integration starts it", _files(_INTEGRATED)),
        Example("no route sends a task", _files(_NO_ROUTE)),
    ],
)
def broker_never_started(source: Source) -> Iterator[Finding | Observation]:
    """Look for routes that send, and for a start."""
    made = brokers(source)
    if made and (starts := source.collected(COLLECTOR)):
        yield Observation(f"started in {starts[0].path}:{starts[0].line}", rules_out="broker never started")
        return
    routes = {route.function for route in source.routes()}
    sites = [site for site in source.enqueues() if site.reached_from & routes or site.function_id in routes]
    if made and sites:
        yield _finding(made[0], sites)


def _finding(broker: BrokerCall, sites: list[Enqueue]) -> Finding:
    place = f"{broker.path}:{broker.line}"
    return Finding(
        code="TSK012",
        resource=Resource("broker", f"{broker.path}:{broker.name}", broker.path, broker.line),
        symptom=f"the routes send tasks through the broker in {place}, and nothing starts it",
        cause="`startup()` is never called outside of the worker",
        severity=Severity.ERROR,
        related=tuple(Resource("task", site.task) for site in sites if site.task),
        impacts=("every enqueue of the API fails: Cannot send task to the queue",),
        evidence=(
            Evidence(EvidenceKind.CODE, place, broker.text),
            *(Evidence(EvidenceKind.CODE, f"{site.path}:{site.line}", site.text) for site in sites[:3]),
        ),
        rule="taskiq-nats 0.7 connects in `startup()`, which only the worker calls by itself",
        fixes=(
            FixOption.by_hand(
                "start the broker in the application's lifespan",
                "where the application starts its other clients is known to you alone",
                code="await broker.startup()",
            ),
        ),
        validation="doctor check --select TSK012",
    )
