"""An example in a docstring shows a decorator above the task registrar, so whoever copies it gets a broken task.

## What it finds
Two or more decorators above a function in the example of a docstring, of which one registers a task (`@broker.task`,
`@shared_task`, `@dramatiq.actor`) and one above it returns a different function:

    def task_retry(attempts):
        \"\"\"Retry a task.

            @task_retry(attempts=3)
            @broker.task
            async def score(): ...
        \"\"\"

## Why it hurts
An example is copied. Each copy is a task that cannot be enqueued (TSK001).

## How it is told from its look-alikes
The decorator above must be known to replace what it gets, by the same rules as for TSK001; its name is looked up in
the module of the docstring. Markdown files are not read.

## How to fix
Swap the two lines of the example.

## False positives
An example that shows what not to do.
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
    Wrapping,
    check,
)

_RETRY = '''\
import functools


def task_retry(attempts):
    """Retry a task.

    {first}
    {second}
    async def score():
        ...
    """

    def decorate(function):
        @functools.wraps(function)
        async def run(*args):
            return await function(*args)

        return run

    return decorate
'''
_ABOVE, _REGISTRAR = "@task_retry(attempts=3)", "@broker.task"


@check(
    "TSK009",
    "decorator-order-in-example",
    severity=Severity.INFO,
    tags=["static"],
    bad=[Example("the docstring of a decorator", {"app/retry.py": _RETRY.format(first=_ABOVE, second=_REGISTRAR)})],
    good=[
        Example("the registrar is on top", {"app/retry.py": _RETRY.format(first=_REGISTRAR, second=_ABOVE)}),
        Example("nobody knows the one above", {"app/retry.py": _RETRY.format(first="@traced", second=_REGISTRAR)}),
    ],
)
def decorator_order_in_example(source: Source) -> Iterator[Finding]:
    """Look above the registrar of each example."""
    for example in source.examples():
        if any(use.wrapping is Wrapping.OPAQUE for use in example.above_registrar) and example.library != "rq":
            yield _finding(example)


def _finding(example: DecoratedFunction) -> Finding:
    registrar = example.decorators[example.registrar or 0]
    above = next(use for use in example.above_registrar if use.wrapping is Wrapping.OPAQUE)
    return Finding(
        code="TSK009",
        resource=Resource("code", f"{example.path}:{example.name}", example.path, above.line),
        subject=above.name,
        symptom=f"an example shows `@{above.name}` above `@{registrar.name}`",
        cause=f"the task of whoever copies `{example.name}` is hidden by the wrapper of `@{above.name}`",
        severity=Severity.INFO,
        role=Role.ADVICE,
        evidence=tuple(
            Evidence(EvidenceKind.CODE, f"{example.path}:{use.line}", use.text) for use in example.decorators
        ),
        fixes=(FixOption.by_hand("swap the lines of the example", "it is text, not code"),),
        validation="doctor check --select TSK009",
    )
