"""Questions about a chain of tasks: which are scheduled, which nothing enqueues, where the chain ends, what it leaves
out."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from doctor.source.collectors.vector_models import COLLECTOR as VECTOR_MODELS
from doctor.source.facts import DecoratedFunction, Enqueue, Route, Wrapping
from doctor.source.index import Source

BY_HAND = re.compile(r"embed|vectori[sz]e|backfill|reindex", re.IGNORECASE)
"""Names of routes that exist in order to embed."""

_COMMANDS = frozenset({"argument", "command", "group", "option", "pass_context"})
"""Decorators of click and typer."""

READ_WHOLLY = frozenset({"taskiq", "celery", "dramatiq"})
"""Queues of which a check sees every way to enqueue; those of RQ and Huey are read for the task graph."""

_SCHEDULE = re.compile(r"\bschedule\s*=|\bcron|\bcrontab|\bperiodic")


@dataclass(frozen=True, slots=True)
class UnreachedEmbedding:
    """An embedding task that the chain never enqueues: the ``sites`` that do, and the tasks at which the chain ends."""

    task: DecoratedFunction
    sites: tuple[Enqueue, ...]
    ends: tuple[DecoratedFunction, ...]


def is_scheduled(task: DecoratedFunction) -> bool:
    """Whether a decorator of the task names a schedule."""
    return any(_SCHEDULE.search(use.text) for use in task.decorators)


def never_enqueued(source: Source) -> list[DecoratedFunction]:
    """Return the tasks that nothing in the source enqueues, schedules, names or uses as a value."""
    known = {enqueue.task for enqueue in source.enqueues()} | source.spoken_of()
    named = source.named_tasks()
    return [
        task
        for task in source.tasks()
        if task.library in READ_WHOLLY and task.id not in known and not is_scheduled(task) and task.name not in named
    ]


def chain_ends(source: Source, leaving_out: Collection[str] = ()) -> list[DecoratedFunction]:
    """Return the tasks at which a chain of tasks ends: enqueued by another task, and enqueuing none themselves.

    The tasks ``leaving_out`` are taken not to be there.
    """
    tasks = {task.id: task for task in source.tasks() if task.id not in leaving_out}
    enqueuing: set[str] = set()
    enqueued: set[str | None] = set()
    for enqueue in source.enqueues():
        if enqueue.task in leaving_out:
            continue
        causes = {caller for caller in enqueue.reached_from if caller in tasks and caller != enqueue.task}
        enqueuing |= causes
        if causes:
            enqueued.add(enqueue.task)
    return [task for identity, task in tasks.items() if identity in enqueued and identity not in enqueuing]


def unreached_embeddings(source: Source) -> list[UnreachedEmbedding]:
    """Return the embedding tasks that are reached from no task, from no schedule, and from no route that takes rows in.

    Their names say that they embed, or what they assign. Empty where tasks do not enqueue one another.
    """
    tasks = {task.id: task for task in source.tasks() if task.library in READ_WHOLLY}
    vectors = {name for model in source.collected(VECTOR_MODELS) for name in model.vectors}
    embedding = sorted(
        identity for identity, task in tasks.items() if task.makes_vectors or not vectors.isdisjoint(task.assigned)
    )
    ends = tuple(chain_ends(source, leaving_out=embedding))
    found = (UnreachedEmbedding(tasks[one], source.enqueues(one), ends) for one in embedding if ends)
    return [one for one in found if not _is_reached(source, one, tasks.keys())]


def _is_reached(source: Source, embedding: UnreachedEmbedding, tasks: Collection[str]) -> bool:
    callers = {caller for site in embedding.sites for caller in site.reached_from}
    if is_scheduled(embedding.task) or any(caller in tasks for caller in callers - {embedding.task.id}):
        return True
    if not source.spoken_of().isdisjoint({*callers, embedding.task.id}) or _is_registered(source, callers):
        return True
    return any(route.function in callers and not _by_hand(route) for route in source.routes())


def _is_registered(source: Source, functions: Collection[str]) -> bool:
    """Whether a decorator may have given one of the functions to something that calls it, such as a listener.

    A command is called by hand, a route is looked at as such, and what the known decorators of libraries do is known.
    """
    routes = {route.function for route in source.routes()}
    return any(
        (use.definition is not None or use.wrapping is Wrapping.UNKNOWN)
        and use.name.rpartition(".")[2] not in _COMMANDS
        for function in source.decorated_functions()
        if function.id in functions and function.id not in routes
        for use in function.decorators
    )


def _by_hand(route: Route) -> bool:
    return bool(BY_HAND.search(route.url) or BY_HAND.search(route.function))
