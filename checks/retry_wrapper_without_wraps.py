"""A wrapper below the task registrar keeps its own name, so the task goes by that name instead of the function's.

## What it finds
A task whose decorator below the registrar returns a wrapper of the target's own without `functools.wraps`:

    def with_retry(function):
        async def wrapper(*args, **kwargs): ...
        return wrapper

    @broker.task
    @with_retry
    async def score(message_id: int) -> None: ...      # is registered as `app.retry:wrapper`

An error when two tasks go by one name, a warning when it is only one.

## Why it hurts
The order is right, so it looks right. With TaskIQ the second task of that name silently takes the place of the first:
whatever is enqueued as the first runs the second. With Celery the first stays, and the second name calls it; Dramatiq
refuses the second at import. Even a single one is worse off: what sends the task by its name no longer finds it, and
TaskIQ reads the parameters of the wrapper, so arguments are not converted and dependencies are not filled in.

## How it is told from its look-alikes
The decorator is followed to its definition. It counts only where the wrapper is a plain nested function that nothing
gives another name: no `functools.wraps` or `update_wrapper`, no `__name__ = …`, and no call that is given the wrapper.
A registrar that is told a name (`task_name=`, `name=`, `actor_name=`), a decorator that returns its argument, and one
whose definition cannot be found are silent.

## How to fix
By hand: put `@functools.wraps(function)` above the wrapper. The tasks then have other names, so let the queue run empty
first: a worker drops what is enqueued under a name that it does not know.

## False positives
One single task that is meant to go by the wrapper's name.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

from doctor.api import (
    DecoratedFunction,
    DecoratorUse,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Mechanism,
    Resource,
    Severity,
    Source,
    Wrapping,
    check,
)

REGISTRARS = frozenset({"task", "shared_task", "actor"})
RULES = {
    "taskiq": "taskiq: a task goes by `module:name` of what is registered; the last of a name is the one that runs",
    "celery": "celery: a task goes by `module.name` of what is registered; the first of a name is the one that runs",
    "dramatiq": "dramatiq: an actor goes by the name of what is registered; a second of that name is an error",
}
"""Measured on taskiq 0.13, celery 5.7 and dramatiq 2.2."""

_NAMED = re.compile(r"\b(?:task_name|actor_name|name)\s*=|\*\*|\(\s*(?![\w]+\s*=)[^)\s]|…$")
"""A registrar that is told a name, or may be: by keyword, by position, by a dictionary, in a text that was cut."""

_TASKS = """\
from taskiq_nats import PullBasedJetStreamBroker

from .retry import with_retry

broker = PullBasedJetStreamBroker()


@broker.task{name}
@with_retry
async def score(message_id: int) -> None:
    print(message_id)
"""
_SECOND = "\n\n@broker.task\n@with_retry\nasync def embed(message_id: int) -> None:\n    print(-message_id)\n"
_RETRY = """\
import functools


def with_retry(function):
    async def wrapper(*args, **kwargs):
        for _ in range(3):
            return await function(*args, **kwargs)

    return wrapper
"""
_CELERY = """\
from celery import shared_task


def logged(label):
    def decorate(function):
        def run(*args):
            return function(*args)

        return run

    return decorate


@shared_task
@logged("cleaning")
def clean():
    pass
"""


def _project(retry: str = _RETRY, name: str = "", more: str = _SECOND) -> dict[str, str]:
    return {"app/__init__.py": "", "app/retry.py": retry, "app/tasks.py": _TASKS.replace("{name}", name) + more}


_RENAMED = _RETRY.replace("    return wrapper", "    wrapper.__name__ = function.__name__\n    return wrapper")
_HANDED = _RETRY.replace("    return wrapper", "    copy_identity(function, wrapper)\n    return wrapper")

BAD = (
    Example("two tasks of TaskIQ go by one name", _project()),
    Example("one task goes by the wrapper's name", _project(more="")),
    Example("a factory, below Celery's registrar", {"jobs.py": _CELERY}),
)
GOOD = (
    Example(
        "the wrapper takes the name over",
        _project(_RETRY.replace("    async def", "    @functools.wraps(function)\n    async def")),
    ),
    Example("the wrapper is given the name", _project(_RENAMED)),
    Example("a function may give it the name", _project(_HANDED)),
    Example("the registrar is told a name", _project(name='(task_name="score")', more="")),
    Example("the decorator returns its argument", _project("def with_retry(function):\n    return function\n")),
    Example("the decorator is of another package", _project("from elsewhere import with_retry\n")),
)


@check(
    "TSK006",
    "retry-wrapper-without-wraps",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    mechanisms=[
        Mechanism("TSK006", "CHN001", "another task runs in its place, so its stage is never run", ("task",)),
        Mechanism("TSK006", "CHN002", "it runs with the arguments of another task, and fails", ("task",)),
    ],
    bad=BAD,
    good=GOOD,
)
def retry_wrapper_without_wraps(source: Source) -> Iterator[Finding]:
    """Look below the registrar of each task for a wrapper that goes by its own name."""
    by_name: dict[tuple[str, str | None], dict[str, tuple[DecoratedFunction, DecoratorUse]]] = defaultdict(dict)
    for task in source.tasks():
        use = _renaming(task)
        if use is not None:
            queue = task.decorators[task.registrar or 0].resolved
            by_name[queue, use.wrapper].setdefault(task.id, (task, use))
    for members in by_name.values():
        for task, use in members.values():
            yield _finding(task, use, [other for other, _ in members.values() if other.id != task.id])


def _renaming(task: DecoratedFunction) -> DecoratorUse | None:
    """Return the decorator whose wrapper is registered under its own name, if there is one."""
    registrar = task.decorators[task.registrar or 0]
    last = registrar.name.rpartition(".")[2]
    if last not in REGISTRARS or registrar.definition is not None or _NAMED.search(registrar.text):
        return None
    for use in task.below_registrar:
        if use.wrapper is not None:
            return use
        if use.wrapping is not Wrapping.TRANSPARENT and not use.keeps_name:
            return None
    return None


def _finding(task: DecoratedFunction, use: DecoratorUse, others: list[DecoratedFunction]) -> Finding:
    library = task.library or "taskiq"
    wrapper = str(use.wrapper).rpartition(":")[2]
    name = _registered(str(use.wrapper), library)
    also = "".join(f", as is `{other.name}`" for other in others[:3])
    return Finding(
        code="TSK006",
        resource=Resource("task", task.id, task.path, task.line),
        symptom=f"`{task.name}` is registered as `{name}`{also}",
        cause=f"the wrapper of `@{use.name}` does not take over the name of the function (functools.wraps)",
        severity=Severity.ERROR if others else Severity.WARNING,
        impacts=(
            *(("one of them runs in place of the other",) if others else ()),
            "whoever sends the task by its name does not find it",
            *(("arguments are not converted, dependencies are not filled in",) if library == "taskiq" else ()),
        ),
        evidence=tuple(_evidence(task, use, others)),
        related=tuple(Resource("task", other.id) for other in others),
        rule=RULES[library],
        fixes=(
            FixOption.by_hand(
                f"put `@functools.wraps(…)` above `def {wrapper}` in `{use.name}`, at {use.definition}",
                "the tasks then have other names: what is enqueued under the old one must have run before",
            ),
        ),
        validation="doctor check --select TSK006",
    )


def _registered(wrapper: str, library: str) -> str:
    """Return the wrapper (``module:name``) as the library names it."""
    module, _, name = wrapper.rpartition(":")
    return {"celery": f"{module}.{name}", "dramatiq": name}.get(library, wrapper)


def _evidence(task: DecoratedFunction, use: DecoratorUse, others: list[DecoratedFunction]) -> Iterator[Evidence]:
    registrar = task.decorators[task.registrar or 0]
    yield Evidence(EvidenceKind.CODE, f"{task.path}:{registrar.line}", registrar.text)
    yield Evidence(EvidenceKind.CODE, f"{task.path}:{use.line}", use.text)
    yield Evidence(EvidenceKind.CODE, str(use.definition), f"def {use.name}(…):  # returns `{use.wrapper}`")
    for other in others[:3]:
        yield Evidence(EvidenceKind.CODE, f"{other.path}:{other.line}", f"{other.name} goes by the same name")
