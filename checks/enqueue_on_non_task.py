"""A function is enqueued that is registered with no task queue.

## What it finds
`.kiq`, `.kicker`, `.delay` or `.apply_async` (and Celery's `…_on_commit`) on a name that leads, through imports and
re-exports, to a plain function of the target. Two shapes occur in practice: a helper was inserted between the decorator
and its task, so that the helper is the task now; and a route of the same name was defined below the task.

## Why it hurts
The call raises `AttributeError: 'function' object has no attribute 'kiq'` each time it runs, and where that is caught
and logged, nothing happens at all.

## How it is told from its look-alikes
The name must have one meaning, and that must be a function of a module without decorators, or with those of routes
only, to which nothing in the source gives the method (`send.delay = …`), and which nothing replaces in its module.
Parameters, locals, nested functions and methods are left out: what they hold is not known. `.send`, `.s` and `.map`
are names of too many things.

## How to fix
Put the decorator directly above its task, or give the route another name.

## False positives
A method of that name that another library gives to the function at run time.
"""

from collections.abc import Iterator

from doctor.api import (
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Mechanism,
    NonTask,
    Resource,
    Severity,
    Source,
    check,
)

_BROKER = "from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker()\n"
_HELPER_BETWEEN = """\
from app.broker import broker


@broker.task
def _normalised(text: str) -> str:
    return text.strip()


async def score_message(text: str) -> None:
    print(_normalised(text))


async def receive(text: str) -> None:
    await score_message.kiq(text)
"""
_SHADOWED = """\
from fastapi import APIRouter

from app.broker import broker

router = APIRouter()


@broker.task
async def score_message(text: str) -> None:
    print(text)


@router.post("/score")
async def score_message(text: str) -> None:
    await score_message.kiq(text)
"""
_ON_COMMIT = """\
from celery import shared_task


@shared_task
def _ids(book):
    return [book.pk]


def index(book):
    print(_ids(book))


def save(book):
    book.save()
    index.delay_on_commit(book)
"""
_RIGHT = """\
import datetime

from app.broker import broker


@broker.task
async def score_message(text: str) -> None:
    print(text)


def later(job, delay: datetime.timedelta):
    return job.delay(delay)


async def receive(text: str) -> None:
    await score_message.kiq(text)
"""

_ATTACHED = """\
def later(ids):
    print(ids)


def index(ids):
    print(ids)


def receive(ids):
    index.delay(ids)


{attached}
"""
_BY_A_FUNCTION = """\
def with_delay(function):
    function.delay = later


with_delay(index)
"""
_OTHER_OBJECT = """\
def update(record, values):
    for name, value in values.items():
        setattr(record, name, value)


STEPS = [index]
"""
_BY_NAMES = """\
def with_methods(function):
    for name in ("delay", "apply_async"):
        setattr(function, name, later)


with_methods(index)
"""


def _attached(how: str) -> dict[str, str]:
    return {"jobs.py": _ATTACHED.replace("{attached}", how)}


@check(
    "TSK003",
    "enqueue-on-non-task",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    mechanisms=[
        Mechanism("TSK003", "CHN001", "the enqueue raises, so the stage is never run", ("task",)),
        Mechanism("TSK003", "CHN002", "the enqueue raises, and the failure is written down", ("task",)),
    ],
    bad=[
        Example("a helper took the decorator", {"app/broker.py": _BROKER, "app/tasks.py": _HELPER_BETWEEN}),
        Example("the same with Celery, after the commit", {"books.py": _ON_COMMIT}),
        Example("a route took the task's name", {"app/broker.py": _BROKER, "app/tasks.py": _SHADOWED}),
        Example("another object gets attributes by their names", _attached(_OTHER_OBJECT)),
    ],
    good=[
        Example("a task, and a parameter with a delay", {"app/broker.py": _BROKER, "app/tasks.py": _RIGHT}),
        Example("a function is given the method by hand", _attached("index.delay = later")),
        Example("the method is set by its name", _attached('setattr(index, "delay", later)')),
        Example("the method is put into its namespace", _attached('index.__dict__["delay"] = later')),
        Example("another function gives it the method", _attached(_BY_A_FUNCTION)),
        Example("a loop gives it the method", _attached("for one in (index, later):\n    one.delay = later")),
        Example("the methods are set by their names", _attached(_BY_NAMES)),
        Example("its module gets another one of the name", _attached('globals()["index"] = queue.task(index)')),
        Example(
            "another file gives it the method",
            _attached("") | {"install.py": "import jobs\n\njobs.index.delay = jobs.later\n"},
        ),
    ],
)
def enqueue_on_non_task(source: Source) -> Iterator[Finding]:
    """Take over the calls, one finding for each function that is enqueued and is no task."""
    by_function: dict[str, list[NonTask]] = {}
    for call in source.non_tasks():
        by_function.setdefault(call.identity, []).append(call)
    for identity, calls in by_function.items():
        yield _finding(identity, calls)


def _finding(identity: str, calls: list[NonTask]) -> Finding:
    first = calls[0]
    name = identity.rpartition(".")[2]
    why = "a route of the same name is defined below the task" if first.as_route else "it has no decorator"
    return Finding(
        code="TSK003",
        resource=Resource("task", identity, first.path, first.line),
        symptom=f"`{name}` is enqueued, but is no task: {why}",
        cause=f"`{first.target}` means the function at {first.defined}, which has no `.{first.verb}`",
        severity=Severity.ERROR,
        impacts=(f"`{first.text}` raises `'function' object has no attribute '{first.verb}'`",),
        evidence=(
            *(Evidence(EvidenceKind.CODE, f"{call.path}:{call.line}", call.text) for call in calls[:5]),
            Evidence(EvidenceKind.CODE, first.defined, f"def {name}(…):  # {why}"),
        ),
        rule="taskiq, celery: only what the registrar returns has the method that enqueues",
        fixes=(
            FixOption.by_hand(
                "give the route another name"
                if first.as_route
                else f"put the task's decorator directly above `{name}`",
                "only you know which function is meant",
            ),
        ),
        validation="doctor check --select TSK003",
    )
