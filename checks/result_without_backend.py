"""A result is waited for that nobody keeps, so every task looks like a success.

## What it finds
`wait_result()` on a TaskIQ task, while the source makes a broker and gives none a result backend.

## Why it hurts
Without a backend TaskIQ answers at once: `is_err=False`, `return_value=None`, and a warning that is seen once. Whoever
waits goes on before the task has begun, and takes a failed task for a good one.

## How it is told from its look-alikes
A task that is slow, or a worker that is gone, makes `wait_result` wait or time out; here it returns at once. Any
`with_result_backend(…)` or `result_backend=…` in the source keeps the check silent. So does a source that makes no
broker, as a library that is handed one, and one whose only broker is `InMemoryBroker`, which keeps results by itself.

## How to fix
Give the broker a backend: `.with_result_backend(NATSObjectStoreResultBackend(…))`; or do not wait, and look at what the
task has written.

## False positives
A broker that is made here, and given its backend by another package.
"""

from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Resource, Severity, Source, check
from doctor.source.collectors.task_results import COLLECTOR, TaskResult
from doctor.source.collectors.taskiq_brokers import COLLECTOR as BROKERS
from doctor.source.collectors.taskiq_brokers import TaskiqBroker

_BROKER = """\
from taskiq_nats import NATSObjectStoreResultBackend, PullBasedJetStreamBroker

broker = PullBasedJetStreamBroker("nats://nats:4222"){backend}


@broker.task
async def score(message_id: int) -> float: ...
"""
_WAITS = """\
from .tasks import score


async def scored(message_id: int) -> float:
    task = await score.kiq(message_id)
    return (await task.wait_result(timeout=5)).return_value
"""
_SENDS = "from .tasks import score\n\n\nasync def send() -> None:\n    await score.kiq(1)\n"
_IN_MEMORY = """\
from taskiq import InMemoryBroker

broker = InMemoryBroker()


@broker.task
async def score(message_id: int) -> float: ...
"""
_HANDED_OVER = """\
from taskiq import AsyncBroker


async def run(broker: AsyncBroker, message_id: int) -> float:
    @broker.task
    async def score(message_id: int) -> float: ...

    task = await score.kiq(message_id)
    return (await task.wait_result()).return_value
"""
_BACKEND = '\nbroker = broker.with_result_backend(NATSObjectStoreResultBackend("nats://nats:4222"))'


def _files(backend: str, api: str = _WAITS) -> dict[str, str]:
    return {"app/__init__.py": "", "app/tasks.py": _BROKER.format(backend=backend), "app/api.py": api}


@check(
    "TSK013",
    "result-without-backend",
    severity=Severity.ERROR,
    tags=["static"],
    bad=[
        Example("a result is waited for", _files("")),
        Example("only the tests keep results", {**_files(""), "tests/conftest.py": _IN_MEMORY}),
    ],
    good=[
        Example("the broker keeps results", _files(_BACKEND)),
        Example("nobody waits", _files("", _SENDS)),
        Example("the broker keeps results by itself", {"app/tasks.py": _IN_MEMORY, "app/api.py": _WAITS}),
        Example("a library is handed the broker", {"flow/engine.py": _HANDED_OVER}),
    ],
)
def result_without_backend(source: Source) -> Iterator[Finding]:
    """Look for waits, for a broker, and for a backend."""
    found: tuple[TaskResult, ...] = source.collected(COLLECTOR)
    made: tuple[TaskiqBroker, ...] = source.collected(BROKERS)
    if not made or any(one.is_kept for one in found) or not any(task.library == "taskiq" for task in source.tasks()):
        return
    for one in found:
        place = f"{one.path}:{one.line}"
        yield Finding(
            code="TSK013",
            resource=Resource("code", f"{one.path}:wait_result", one.path, one.line),
            symptom=f"{place} waits for a result that nobody keeps: it gets None at once",
            cause="no broker has a result backend",
            severity=Severity.ERROR,
            subject=one.text,
            impacts=("a task that failed, or has not begun, looks like a success",),
            evidence=(
                Evidence(EvidenceKind.CODE, place, one.text),
                *(Evidence(EvidenceKind.CODE, f"{broker.path}:{broker.line}", broker.text) for broker in made[:3]),
            ),
            rule="TaskIQ 0.13 without a result backend returns is_err=False and return_value=None at once",
            fixes=(FixOption.by_hand("give the broker a result backend", "where results are kept is your decision"),),
            validation="doctor check --select TSK013",
        )
