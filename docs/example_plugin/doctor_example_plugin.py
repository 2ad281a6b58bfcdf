"""A TaskIQ task is a plain function, so a thread of the worker runs it.

## What it finds
Functions without `async` that are registered as tasks of TaskIQ.

## Why it hurts
TaskIQ runs them in a pool of threads; when all threads are busy, such tasks wait although the worker looks idle.

## How it is told from its look-alikes
Only functions whose registrar is TaskIQ's count. Celery and Dramatiq run plain functions on purpose.

## How to fix
Make it a coroutine, or give the worker more threads with `--max-threadpool-threads`.

## False positives
A task that burns the CPU for a moment and waits for nothing.
"""

from collections.abc import Iterator, Sequence

from doctor.api import (
    Check,
    Evidence,
    EvidenceKind,
    Finding,
    Hypothesis,
    KnownSignature,
    Presentation,
    Report,
    Resource,
    Run,
    Severity,
    Source,
    check,
    hookimpl,
)


@check("EXA001", "task-is-synchronous", severity=Severity.WARNING, tags=["static"])
def task_is_synchronous(source: Source) -> Iterator[Finding]:
    """Look at what every task is."""
    for task in source.tasks():
        if task.library == "taskiq" and not task.is_async:
            yield Finding(
                code="EXA001",
                resource=Resource("task", task.id, task.path, task.line),
                symptom=f"`{task.name}` is no coroutine, so a thread runs it",
                cause=f"`def {task.name}` without `async`",
                severity=Severity.WARNING,
                evidence=(Evidence(EvidenceKind.CODE, f"{task.path}:{task.line}", f"def {task.name}"),),
            )


def render(run: Run, presentation: Presentation) -> str:
    """Return how many findings there are, for a shell."""
    return f"{sum(len(result.findings) for result in run.current)}\n"


@hookimpl
def doctor_checks() -> Sequence[Check]:
    """Return the checks of this plugin."""
    return [task_is_synchronous]


@hookimpl
def doctor_reports() -> Sequence[Report]:
    """Return the formats of this plugin."""
    return [Report("count", "how many findings", machine=True, render=render)]


@hookimpl
def doctor_signatures() -> Sequence[KnownSignature]:
    """Return the lines of logs that this plugin knows."""
    return [
        KnownSignature(
            "example-pool-exhausted",
            "every thread of the pool is busy",
            "thread pool is exhausted",
            r"thread pool is exhausted",
            ("WARNING worker: thread pool is exhausted",),
            hypotheses=(Hypothesis("plain functions are tasks", "EXA001"),),
            area="source",
        )
    ]
