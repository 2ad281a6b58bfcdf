"""A task is registered and nothing in the source enqueues it.

## What it finds
A function registered with TaskIQ, Celery or Dramatiq whose name no enqueue of the target leads to.

## Why it hurts
Mostly it does not: it is dead code, or work that somebody believes is done. `doctor graph` shows such tasks without an
arrow that leads to them.

## How it is told from its look-alikes
Silent where the task is scheduled (`schedule=[…]`, `cron`), where its name stands as a text somewhere else, as in
`send_task("app.tasks.clean")` or a beat schedule, or where it is used as a value that something may send: given to a
function, put into a table, looked up in its module. Where the task fills embeddings and the chain never enqueues it,
that is an error of its own (TSK005).

## How to fix
Enqueue it where its work is needed, or delete it.

## False positives
A task that another application enqueues by its name.
"""

from collections.abc import Iterator

from doctor.api import (
    DecoratedFunction,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Role,
    Severity,
    Source,
    check,
    never_enqueued,
    unreached_embeddings,
)

_BROKER = "from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker()\n"
_FORGOTTEN = """\
from app.broker import broker


@broker.task
async def remove_old_rows() -> None:
    pass
"""
_ENQUEUED = """\
from app.broker import broker


@broker.task
async def remove_old_rows() -> None:
    pass


@broker.task(schedule=[{"cron": "0 3 * * *"}])
async def summarise() -> None:
    await remove_old_rows.kiq()
"""
_BY_NAME = """\
from celery import Celery, shared_task

app = Celery()


@shared_task
def clean() -> None:
    pass


def start() -> None:
    app.send_task("jobs.clean")
"""
_BEAT = """\
CELERY_BEAT_SCHEDULE = {"nightly": {"task": "kb.tasks.nightly", "schedule": 86400}}
"""
_NIGHTLY = """\
from celery import shared_task


@shared_task
def nightly() -> None:
    pass
"""
_GIVEN = """\
from app.tasks import remove_old_rows


def later(background_tasks) -> None:
    background_tasks.add_task(remove_old_rows{method})
"""
_TABLE = """\
from app import tasks
from app.tasks import remove_old_rows

STEPS = {table}


async def run(step) -> None:
    await STEPS[step].kiq()
"""
_SCHEDULED = """\
from app.tasks import remove_old_rows


async def every_night(source) -> None:
    await remove_old_rows.schedule_by_cron(source, "0 3 * * *")
"""
_WAYS = """\
from functools import partial

from app.hooks import after
from app.tasks import remove_old_rows

later = {way}
"""


def _elsewhere(text: str) -> dict[str, str]:
    return {"app/broker.py": _BROKER, "app/tasks.py": _FORGOTTEN, "app/elsewhere.py": text}


def _in_table(table: str) -> dict[str, str]:
    return {"app/broker.py": _BROKER, "app/tasks.py": _FORGOTTEN, "app/steps.py": _TABLE.replace("{table}", table)}


def _given(method: str) -> dict[str, str]:
    return {"app/broker.py": _BROKER, "app/tasks.py": _FORGOTTEN, "app/api.py": _GIVEN.replace("{method}", method)}


@check(
    "TSK004",
    "task-never-enqueued",
    severity=Severity.INFO,
    tags=["static"],
    timeout=20.0,
    bad=[Example("nothing enqueues the task", {"app/broker.py": _BROKER, "app/tasks.py": _FORGOTTEN})],
    good=[
        Example("a scheduled task enqueues it", {"app/broker.py": _BROKER, "app/tasks.py": _ENQUEUED}),
        Example("it is sent by its name", {"jobs.py": _BY_NAME}),
        Example("Django's settings schedule it", {"kb/tasks.py": _NIGHTLY, "site/settings.py": _BEAT}),
        Example("its method is given away", _given(".kiq")),
        Example("it is given away itself", _given("")),
        Example("it stands in a table", _in_table('{"rows": remove_old_rows}')),
        Example("it is scheduled while the application runs", _elsewhere(_SCHEDULED)),
        Example("a partial sends it", _elsewhere(_WAYS.format(way="partial(remove_old_rows.kiq)"))),
        Example("a lambda gives it away", _elsewhere(_WAYS.format(way="lambda: remove_old_rows"))),
        Example("a decorator is given it", _elsewhere(_WAYS.format(way="1\n\n\n@after(remove_old_rows)\ndef f(): 1"))),
        Example("its full name stands in a table", _in_table('["app.tasks.remove_old_rows"]')),
        Example("its module is searched for a name", _in_table('[getattr(tasks, f"remove_{part}") for part in PARTS]')),
    ],
)
def task_never_enqueued(source: Source) -> Iterator[Finding]:
    """Look for an arrow to each task; of those that embed, TSK005 speaks."""
    embedding = {one.task.id for one in unreached_embeddings(source)}
    for task in never_enqueued(source):
        if task.id not in embedding:
            yield _finding(task)


def _finding(task: DecoratedFunction) -> Finding:
    return Finding(
        code="TSK004",
        resource=Resource("task", task.id, task.path, task.line),
        symptom=f"nothing enqueues the task `{task.name}`",
        cause=f"no enqueue of the target leads to `{task.id}`",
        severity=Severity.INFO,
        role=Role.ADVICE,
        evidence=(
            Evidence(EvidenceKind.CODE, f"{task.path}:{task.line}", f"def {task.name}(…):"),
            *(Evidence(EvidenceKind.CODE, f"{task.path}:{use.line}", use.text) for use in task.decorators[:2]),
        ),
        fixes=(FixOption.by_hand("enqueue it, or delete it", "only you know whether its work is wanted"),),
        validation="doctor graph",
    )
