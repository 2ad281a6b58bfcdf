"""A task is sent or scheduled by a name that no task is registered under.

## What it finds
`send_task("app.tasks.clean")`, `AsyncKicker("app.tasks:clean", …)`, or an entry of a beat schedule, whose name begins
with a package of the target, while the module that it names has no such task: the function was renamed, moved, lost its
decorator, or is a task under the name of the module that defines it.

## Why it hurts
Nothing raises where the task is sent. The worker gets a message that it has no function for: Celery logs `Received
unregistered task` and discards it, TaskIQ acknowledges it and warns once.

## How it is told from its look-alikes
Only names are looked up that can be nothing but a task's and whose module stands in the target, beside tasks whose
names were read. It is silent where the name stands in another file as a text, where tasks are registered by a call or
named when the program runs, where the module takes names over with a star, and where a decorator of one's own may
register the function. Names of a module that is not there count when one task of the target has the same last name.

## How to fix
Send it by the name that the task has, or register the function. Give the task a `name` of its own when functions move.

## False positives
A worker of another repository that registers the name, and whose package is called like one of the target's.
"""

from collections.abc import Iterator

from doctor.api import (
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Severity,
    Source,
    UnregisteredName,
    check,
)

_TASKS = """\
from celery import shared_task


@shared_task
def clean() -> None:
    pass


def count() -> None:
    pass


@shared_task(name="app.mails.send")
def send_mails() -> None:
    pass
"""
_SEND = """\
def later(app) -> None:
    app.send_task("{name}")
"""
_BEAT = """\
from celery.schedules import crontab

beat_schedule = {{"nightly": {{"task": "{name}", "schedule": crontab(hour=3)}}}}
"""
_TASKIQ = """\
from taskiq import InMemoryBroker
from taskiq.kicker import AsyncKicker

broker = InMemoryBroker()


@broker.task
async def score(message_id: int) -> None:
    print(message_id)


async def later(message_id: int) -> None:
    await AsyncKicker("app.scoring:{name}", broker, {{}}).kiq(message_id)
"""
_BY_A_CALL = """\
from app.celery import app
from app.jobs import JOBS

for name, function in JOBS.items():
    app.task(name=name)(function)
"""


def _project(sender: str, name: str, **files: str) -> dict[str, str]:
    texts = {"__init__": "", "tasks": _TASKS, "sender": sender.format(name=name), **files}
    return {f"app/{path}.py": text for path, text in texts.items()}


@check(
    "TSK011",
    "task-name-not-registered",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    bad=[
        Example("a function that is not there any more", _project(_SEND, "app.tasks.remove")),
        Example("a beat schedule names a plain function", _project(_BEAT, "app.tasks.count")),
        Example("a task that was moved", _project(_SEND, "app.old_tasks.clean")),
        Example(
            "a task that the package only imports", _project(_SEND, "app.clean", __init__="from .tasks import clean")
        ),
        Example("a kicker of TaskIQ", {"app/__init__.py": "", "app/scoring.py": _TASKIQ.format(name="rate")}),
    ],
    good=[
        Example("the names are those of tasks", _project(_SEND, "app.tasks.clean")),
        Example("the task has a name of its own", _project(_BEAT, "app.mails.send")),
        Example("a task of another package", _project(_SEND, "mails.tasks.send")),
        Example("a name that the target's tasks do not resemble", _project(_SEND, "app.worker.resize")),
        Example("a name that is no function's, of another worker", _project(_SEND, "app.resize")),
        Example("a star may bring the function", _project(_SEND, "app.more.resize", more="from .elsewhere import *")),
        Example("the name stands in a table", _project(_SEND, "app.tasks.resize", names='ALL = ["app.tasks.resize"]')),
        Example("tasks are registered by a call", _project(_SEND, "app.tasks.resize", registry=_BY_A_CALL)),
        Example("a kicker of TaskIQ", {"app/__init__.py": "", "app/scoring.py": _TASKIQ.format(name="score")}),
    ],
)
def task_name_not_registered(source: Source) -> Iterator[Finding]:
    """Take over the names that nobody registers, one finding for each."""
    by_name: dict[str, list[UnregisteredName]] = {}
    for one in source.unregistered():
        by_name.setdefault(one.name, []).append(one)
    for name, sites in by_name.items():
        yield _finding(name, sites)


def _finding(name: str, sites: list[UnregisteredName]) -> Finding:
    first = sites[0]
    place = f"the function at {first.defined} has another name as a task, or is none" if first.defined else ""
    defined = (Evidence(EvidenceKind.CODE, first.defined, "the function that the name means"),)
    return Finding(
        code="TSK011",
        resource=Resource("code", f"{first.module}.{first.function}", first.path, first.line),
        subject=name,
        symptom=f"no task is registered as `{name}`, under which one is sent",
        cause=place or f"`{name.replace(':', '.').rpartition('.')[0]}` has no such task",
        severity=Severity.ERROR,
        impacts=("the worker discards the message, and nothing raises where it is sent",),
        evidence=(
            *(Evidence(EvidenceKind.CODE, f"{site.path}:{site.line}", site.text) for site in sites[:5]),
            *(defined if first.defined else ()),
        ),
        related=(Resource("task", first.same),) if first.same else (),
        rule="celery, taskiq: a task is known by the module that defines it, or by the name that it is given",
        fixes=(
            FixOption.by_hand(
                f"send it as `{first.same}`"
                if first.same
                else "send it by the name of a task, or register the function",
                "only you know which task is meant",
            ),
        ),
        validation="doctor check --select TSK011",
    )
