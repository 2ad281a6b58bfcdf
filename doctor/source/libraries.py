"""What is known about task queues and about the decorators of libraries.

The behaviour was measured on taskiq 0.13, celery 5.7, dramatiq 2.2, huey 3.5, rq 2.12, wrapt 2.5, tenacity, backoff
and the standard library: a decorator above the registrar replaces the task object by whatever it returns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from doctor.source.facts import Wrapping


@dataclass(frozen=True, slots=True)
class Library:
    """A task queue: ``verbs`` send a task, ``builders`` make a message of it that is sent later."""

    name: str
    verbs: frozenset[str]
    builders: frozenset[str]


TASKIQ = Library("taskiq", frozenset({"kiq"}), frozenset({"kicker"}))
CELERY = Library(
    "celery",
    frozenset({"delay", "apply_async", "delay_on_commit", "apply_async_on_commit"}),
    frozenset({"s", "si", "signature", "subtask"}),
)
DRAMATIQ = Library("dramatiq", frozenset({"send", "send_with_options"}), frozenset({"message", "message_with_options"}))

HUEY = Library("huey", frozenset({"schedule"}), frozenset({"s"}))
"""Besides, a plain call of a task sends it."""
RQ = Library("rq", frozenset({"delay"}), frozenset())

LIBRARIES = {library.name: library for library in (TASKIQ, CELERY, DRAMATIQ, HUEY, RQ)}

TOLD_BY_THEIR_METHODS = (TASKIQ, CELERY, DRAMATIQ)
"""Those whose methods are read in every file; ``schedule`` and the like mean too many other things."""

VERBS = frozenset().union(*(library.verbs | library.builders for library in TOLD_BY_THEIR_METHODS))
"""All methods that only a task has; whether the object is a task is decided by resolving it."""

BUILDERS = frozenset().union(*(library.builders for library in LIBRARIES.values()))

UNMISTAKABLE = TASKIQ.verbs | TASKIQ.builders
"""Verbs that no other library uses, so that they count even when the task cannot be resolved."""

VERBS_OF_TASKS_ONLY = UNMISTAKABLE | CELERY.verbs
"""Verbs that no plain function of a module has; ``send`` and ``s`` are names of too many things."""

LITERALS = (b".kiq", b".kicker", b".delay(", b".apply_async(", b".task", b"shared_task")
"""A file without any of these neither registers nor enqueues, apart from what the next table adds."""

LITERALS_WITH = {
    b"celery": (
        b".delay_on_commit(",
        b".apply_async_on_commit(",
        b".s(",
        b".si(",
        b".signature(",
        b".subtask(",
        b".periodic_task",
    ),
    b"dramatiq": (
        b"@actor",
        b".actor",
        b".send(",
        b".send_with_options(",
        b".message(",
        b".message_with_options(",
    ),
}
"""Literals that matter only when the library is imported somewhere in the tree."""

NARROWER = {
    b".task": re.compile(rb"\.task(?=[ \t\f]*(?:\(|\\|#|\r|$))", re.MULTILINE),
    b".signature(": re.compile(rb"(?<!inspect)\.signature\("),
}
"""What a literal must look like as well: ``.task`` is called, decorates or is assigned; ``.task_id`` is another."""

CELERY_REGISTRARS = frozenset({"celery.shared_task", "celery.task", "celery.app.shared_task", "celery.decorators.task"})
DRAMATIQ_REGISTRARS = frozenset({"dramatiq.actor", "dramatiq.actor.actor"})
HUEY_REGISTRARS = frozenset(
    f"huey.contrib.djhuey.{name}" for name in ("task", "periodic_task", "db_task", "db_periodic_task", "on_commit_task")
)
RQ_REGISTRARS = frozenset({"rq.decorators.job", "django_rq.job", "django_rq.decorators.job"})

REGISTRARS = {
    **dict.fromkeys(CELERY_REGISTRARS, CELERY),
    **dict.fromkeys(DRAMATIQ_REGISTRARS, DRAMATIQ),
    **dict.fromkeys(HUEY_REGISTRARS, HUEY),
    **dict.fromkeys(RQ_REGISTRARS, RQ),
}
"""Decorators that register a task, by their full names."""

HUEY_METHODS = frozenset({"task", "periodic_task", "context_task"})
"""Methods of a Huey object that register a task; the ``task`` of the other libraries' objects is no different."""

OPAQUE = frozenset(
    {
        "asgiref.sync.async_to_sync",
        "asgiref.sync.sync_to_async",
        "backoff.on_exception",
        "backoff.on_predicate",
        "contextlib.asynccontextmanager",
        "contextlib.contextmanager",
        "django.db.transaction.atomic",
        "functools.cache",
        "functools.lru_cache",
        "functools.singledispatch",
        "stamina.retry",
        "tenacity.retry",
        "typing_extensions.deprecated",
        "warnings.deprecated",
    }
)
"""Return another function, which carries the name of the old one (all use ``functools.wraps`` or the like)."""

TRANSPARENT = frozenset(
    {
        "abc.abstractmethod",
        "typing.final",
        "typing.no_type_check",
        "typing.override",
        "typing.overload",
        "typing_extensions.final",
        "typing_extensions.override",
        "wrapt.decorator",
        "builtins.staticmethod",
    }
)
"""Return their argument, or an object that still answers for it."""

TRANSPARENT_PREFIXES = ("pytest.mark.", "wrapt.")

WRAPPING_METHODS = frozenset({"start_as_current_span"})
"""Methods that return a context manager; used as a decorator it wraps the function in another one."""


def known_wrapping(resolved: str) -> Wrapping | None:
    """Return what a library's decorator does, by its full name, or None when it is not in the tables."""
    if resolved in OPAQUE or resolved.rpartition(".")[2] in WRAPPING_METHODS:
        return Wrapping.OPAQUE
    if resolved in TRANSPARENT or resolved.startswith(TRANSPARENT_PREFIXES):
        return Wrapping.TRANSPARENT
    return None
