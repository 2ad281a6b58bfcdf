"""A decorator above the task registrar hides the task, so it can no longer be enqueued.

## What it finds
A function that is registered with a task queue (`@broker.task` of TaskIQ, `@app.task` and `@shared_task` of Celery,
`@dramatiq.actor`) while another decorator stands *above* the registrar and returns a different function:

    @task_retry_with_dlq(max_attempts=3)    # bound last: this is what the name means
    @broker.task
    async def score_message_task(message_id: int) -> None: ...

Decorators are applied from the bottom up. The registrar turns the function into a task object; the one above wraps
that object in a plain function. An error when the name is enqueued somewhere, a warning when it is not.

## Why it hurts
`score_message_task.kiq(…)` raises `'function' object has no attribute 'kiq'`, usually inside a broad `except` that
logs it as a warning. The worker still registers the task and can run it, so its health looks perfect, and the
decorator above is never applied to what the worker runs. Every later stage of the chain starves.

## How it is told from its look-alikes
The registrar and the decorator above it are followed through imports, aliases and factories to their definitions. A
decorator that returns its argument, one made with `wrapt`, and one that attaches `.kiq` again are fine. So is any
order *below* the registrar. `functools.wraps` proves nothing: it copies `task_name`, but not the methods. A
decorator whose definition cannot be found (another package's) is not reported unless it is known: `tenacity.retry`,
`backoff.on_exception`, `functools.lru_cache`, `contextlib.contextmanager`, `asgiref.sync.sync_to_async`,
`transaction.atomic`. `mock.patch`, Prefect and Click are not concerned, nor is RQ, whose `.delay` is an attribute of
the function that `functools.wraps` copies. With Huey it is an info: a plain call still enqueues.

## How to fix
Move the registrar to the top (`swap-decorators`): whole lines move, nothing else in the file changes. It is safe
when the wrapper keeps the function's name (`functools.wraps`) or the registrar names the task; otherwise the task
would be registered under the wrapper's name, so the wrapper needs `functools.wraps` first.

## False positives
A wrapper that answers for the task in a way that the source does not show, such as methods attached in another module.
"""

from collections.abc import Iterator

from doctor.api import (
    Applicability,
    DecoratedFunction,
    DecoratorUse,
    Enqueue,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Mechanism,
    Observation,
    Resource,
    Role,
    Severity,
    Source,
    Wrapping,
    check,
)

RULES = {
    "taskiq": "taskiq: functools.wraps does not carry .kiq and .kicker over to a wrapper",
    "celery": "celery: functools.wraps does not carry .delay and .apply_async over to a wrapper",
    "dramatiq": "dramatiq: functools.wraps does not carry .send over to a wrapper",
    "huey": "huey: functools.wraps does not carry .schedule and .s over to a wrapper; calling it still enqueues",
}
"""Measured on taskiq 0.13, celery 5.7, dramatiq 2.2 and huey 3.5."""

VERBS = {"taskiq": "kiq", "celery": "delay", "dramatiq": "send", "huey": "schedule"}

SITES_SHOWN = 5

_BROKER = """\
from taskiq_nats import PullBasedJetStreamBroker

broker = PullBasedJetStreamBroker()
"""
_RETRY = """\
import functools


def retry(max_attempts):
    def decorate(function):
        @functools.wraps(function)
        async def run(*args, **kwargs):
            for _ in range(max_attempts):
                return await function(*args, **kwargs)

        return run

    return decorate
"""
_RETRY_WITH_WRAPT = """\
import wrapt


def retry(max_attempts):
    @wrapt.decorator
    def run(wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs)

    return run
"""
_MARKS_ONLY = """\
def retry(max_attempts):
    return lambda task: task
"""
_WRONG = """\
from .broker import broker
from .retry import retry


@retry(max_attempts=3)
@broker.task
async def score(message_id: int) -> None:
    print(message_id)
"""
_CALLER = """\
from .tasks import score


async def save(message_id):
    await score.kiq(message_id)
"""
_JOB = """\
{imports}


{above}
{registrar}
def clean():
    pass


def clean_later():
    clean{verb}()
"""
_NO_TASK = """\
from unittest import mock

from jobs import client


@mock.patch("jobs.now")
@client.task
def test_clean(now):
    pass
"""


def _project(retry: str = _RETRY, tasks: str = _WRONG) -> dict[str, str]:
    files = {"__init__": "", "broker": _BROKER, "retry": retry, "tasks": tasks, "ingestion": _CALLER}
    return {f"app/{name}.py": text for name, text in files.items()}


def _job(imports: str, registrar: str, verb: str = "") -> dict[str, str]:
    imports = f"from tenacity import retry\n{imports}"
    return {"jobs.py": _JOB.format(imports=imports, above="@retry", registrar=registrar, verb=verb)}


_RIGHT = _WRONG.replace("@retry(max_attempts=3)\n@broker.task\n", "@broker.task\n@retry(max_attempts=3)\n")
_REATTACHED = _RETRY.replace("        return run\n", "        run.kiq = function.kiq\n        return run\n")
_ATTACHED_LATER = _WRONG + "\n\nscore.kiq = broker.find_task('app.tasks:score').kiq\n"
_BOTH_REATTACHED = _REATTACHED.replace("run.kiq = function.kiq", "run.kiq, run.kicker = function.kiq, function.kicker")

BAD = (
    Example("a retry decorator of the project stands above the registrar", _project()),
    Example("tenacity above a Celery task", _job("from celery import shared_task", "@shared_task", ".delay")),
    Example("tenacity above a Dramatiq actor", _job("import dramatiq", "@dramatiq.actor", ".send")),
    Example(
        "tenacity above a task of Huey, which retries the sending",
        _job("from huey import RedisHuey\n\nhuey = RedisHuey()", "@huey.task()"),
    ),
)

GOOD = (
    Example("the registrar is on top", _project(tasks=_RIGHT)),
    Example("the decorator above returns its argument", _project(retry=_MARKS_ONLY)),
    Example("the decorator above is made with wrapt", _project(retry=_RETRY_WITH_WRAPT)),
    Example("the wrapper gets its method back", _project(retry=_REATTACHED)),
    Example("the wrapper gets two methods back at once", _project(retry=_BOTH_REATTACHED)),
    Example("the task gets its method back where it stands", _project(tasks=_ATTACHED_LATER)),
    Example("the methods of RQ survive a wrapper", _job("from rq.decorators import job", "@job('default')", ".delay")),
    Example("a patch in a test, and a method that is merely called task", {"test_jobs.py": _NO_TASK}),
)


@check(
    "TSK001",
    "task-decorator-order",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    mechanisms=[
        Mechanism("TSK001", "CHN001", "the task cannot be enqueued, so its stage is never run", ("task",)),
        Mechanism("TSK001", "CHN002", "the task cannot be enqueued, and the failure is written down", ("task",)),
    ],
    bad=BAD,
    good=GOOD,
)
def task_decorator_order(source: Source) -> Iterator[Finding | Observation]:
    """Look above the registrar of each task for a decorator that replaces the task object."""
    seen: set[str] = set()
    tasks, enqueues, attached = source.tasks(), source.enqueues(), source.attached()
    if tasks:
        yield Observation(f"{len(tasks)} tasks and {len(enqueues)} enqueues read")
    for task in tasks:
        opaque = [use for use in task.above_registrar if use.wrapping is Wrapping.OPAQUE]
        if opaque and task.id not in seen and task.library in RULES and task.name not in attached:
            seen.add(task.id)
            yield _finding(task, opaque, source.enqueues(task.id))


def _finding(task: DecoratedFunction, opaque: list[DecoratorUse], sites: tuple[Enqueue, ...]) -> Finding:
    library = task.library or "taskiq"
    registrar = task.decorators[task.registrar or 0]
    verb = sites[0].verb if sites else VERBS[library]
    wrapper = f"`@{opaque[0].name}`"
    enclosing = dict.fromkeys(site.function_id for site in sites)
    if library == "huey":
        return _about_huey(task, registrar, opaque)
    return Finding(
        code="TSK001",
        resource=Resource("task", task.id, task.path, opaque[0].line),
        symptom=f"`{task.name}` cannot be enqueued: {wrapper} stands above `@{registrar.name}`",
        cause=f"`{task.name}` is bound to the wrapper of {wrapper}, a plain function without `.{verb}`",
        severity=Severity.ERROR if sites else Severity.WARNING,
        impacts=(
            f"`{task.name}.{verb}(…)` raises `'function' object has no attribute '{verb}'`",
            "the worker still registers the task, so its health looks perfect",
        ),
        evidence=(*_decorator_lines(task), *_enqueue_lines(sites), *_wrapper_lines(opaque)),
        # Kind "code", not "task": the enqueuing task is not the one that stalls.
        related=tuple(Resource("code", function) for function in enclosing),
        rule=RULES[library],
        fixes=(_swap(task, registrar, opaque),),
        validation="doctor check --select TSK001; then the stage advances",
    )


def _about_huey(task: DecoratedFunction, registrar: DecoratorUse, opaque: list[DecoratorUse]) -> Finding:
    """With Huey the task can still be sent by calling it, but the decorator above is not where it is meant to be."""
    return Finding(
        code="TSK001",
        resource=Resource("task", task.id, task.path, opaque[0].line),
        symptom=f"`@{opaque[0].name}` wraps the sending of `{task.name}`, not its run",
        cause=f"it stands above `@{registrar.name}`, so `{task.name}` is a plain function that calls the task",
        severity=Severity.INFO,
        role=Role.ADVICE,
        impacts=(f"`{task.name}.schedule` and `{task.name}.s` are gone", "the worker runs the task without it"),
        evidence=(*_decorator_lines(task), *_wrapper_lines(opaque)),
        rule=RULES["huey"],
        fixes=(_swap(task, registrar, opaque),),
        validation="doctor check --select TSK001",
    )


def _decorator_lines(task: DecoratedFunction) -> Iterator[Evidence]:
    for use in task.decorators[: (task.registrar or 0) + 1]:
        yield Evidence(EvidenceKind.CODE, f"{task.path}:{use.line}", use.text)


def _wrapper_lines(opaque: list[DecoratorUse]) -> Iterator[Evidence]:
    for use in opaque:
        if use.definition is not None:
            yield Evidence(EvidenceKind.CODE, use.definition, f"def {use.name}(…):  # returns a function of its own")


def _enqueue_lines(sites: tuple[Enqueue, ...]) -> Iterator[Evidence]:
    for site in sites[:SITES_SHOWN]:
        yield Evidence(EvidenceKind.CODE, f"{site.path}:{site.line}", site.text)


def _swap(task: DecoratedFunction, registrar: DecoratorUse, opaque: list[DecoratorUse]) -> FixOption:
    keeps_name = all(use.keeps_name for use in opaque)
    named = "name=" in registrar.text or "name =" in registrar.text
    safe = (keeps_name or named) and task.library != "huey"
    return FixOption(
        fix="swap-decorators",
        title=f"move `@{registrar.name}` above `@{opaque[0].name}` in {task.path}",
        applicability=Applicability.SAFE if safe else Applicability.UNSAFE,
        reason=_reason(task, opaque[0], safe=safe),
        arguments={
            "path": task.path,
            "function": task.qualname,
            "line": task.line,
            "registrar": registrar.name,
            "above": opaque[0].name,
        },
        recommended=True,
        tradeoff="from then on the worker runs the task through the wrapper, with all that it does",
    )


def _reason(task: DecoratedFunction, above: DecoratorUse, *, safe: bool) -> str:
    if safe:
        return "whole decorator lines move, and the task keeps its name"
    if task.library == "huey":
        return "the task works as it is when it is called; afterwards each run is wrapped, not the sending"
    return f"`{above.name}` does not use functools.wraps, so the task would take the wrapper's name"
