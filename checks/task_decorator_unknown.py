"""A decorator stands above a task registrar, and the source does not show what it makes of the task.

## What it finds
What TSK001 is silent about: a decorator above the registrar whose definition is in another package, or cannot be read,
and that is not in the table of known ones. Off unless it is asked for: `--select TSK010` or `--tag opt-in`.

## Why it hurts
If it returns a function of its own, the task cannot be enqueued.

## How it is told from its look-alikes
Decorators that are known to return their argument are left out, and those that are known to replace it are TSK001.

## How to fix
Look the decorator up; where it returns a wrapper, move the registrar above it.

## False positives
Every decorator that hands the task on. That is why nobody is told unless asking.
"""

from collections.abc import Iterator

from doctor.api import (
    OPT_IN,
    DecoratedFunction,
    DecoratorUse,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Role,
    Severity,
    Source,
    Wrapping,
    check,
)

_JOB = """\
from celery import shared_task
{imports}


{above}
@shared_task
def clean():
    pass
"""


def _job(imports: str, above: str) -> dict[str, str]:
    return {"jobs.py": _JOB.format(imports=imports, above=above)}


@check(
    "TSK010",
    "task-decorator-unknown",
    severity=Severity.INFO,
    tags=["static", OPT_IN],
    bad=[Example("a decorator of another package", _job("from elsewhere import traced", "@traced"))],
    good=[
        Example("it is known to replace the task: TSK001", _job("from tenacity import retry", "@retry")),
        Example("it is known to return its argument", _job("from typing import final", "@final")),
    ],
)
def task_decorator_unknown(source: Source) -> Iterator[Finding]:
    """Look above the registrar of each task for what nobody can tell."""
    for task in source.tasks():
        unknown = [use for use in task.above_registrar if use.wrapping is Wrapping.UNKNOWN]
        if unknown and task.library != "rq":
            yield _finding(task, unknown[0])


def _finding(task: DecoratedFunction, use: DecoratorUse) -> Finding:
    return Finding(
        code="TSK010",
        resource=Resource("task", task.id, task.path, use.line),
        symptom=f"what `@{use.name}` makes of the task `{task.name}` is not known",
        cause=f"`{use.resolved}` stands above the registrar, and its definition cannot be read",
        severity=Severity.INFO,
        role=Role.ADVICE,
        evidence=(Evidence(EvidenceKind.CODE, f"{task.path}:{use.line}", use.text),),
        fixes=(FixOption.by_hand("look it up; if it returns a wrapper, swap the lines", "its source is elsewhere"),),
        validation="doctor check --select TSK010",
    )
