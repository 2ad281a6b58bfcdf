"""The facts that checks query, with every name resolved across files.

Frozen and picklable, because they are made in another process. Paths are relative to the source root with ``/``;
lines count from 1. An identity such as ``app.tasks.scoring.score_message_task`` is the module as the target imports
it, a dot, and Python's qualified name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MODULE_LEVEL = "<module>"
"""The name of the enclosing function when there is none."""

MAIN_BLOCK = "<main>"
"""The name of what stands under ``if __name__ == "__main__"``, which runs, unlike the module, only in a program."""


class Wrapping(StrEnum):
    """What a decorator does to the object that it is given."""

    TRANSPARENT = "transparent"
    """Returns it, or something that still answers for it."""
    OPAQUE = "opaque"
    """Returns another function, which has none of its methods."""
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What becomes of an exception in the handler that catches it."""

    RAISES = "raises"
    RECORDS = "records a failure"
    REPORTS = "tells its caller"
    LOGS_ONLY = "logs only"
    """Nothing is left but a line in a log, or not even that."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DecoratorUse:
    """One decorator on one function.

    ``name`` is the expression as written without its arguments, ``resolved`` the same through imports and aliases.
    ``keeps_name`` tells whether the wrapper takes over the function's name (``functools.wraps``); ``wrapper`` is the
    wrapper's own name (``module:function``) where it is certain that it does not. ``definition`` is the ``path:line``
    where the decorator is defined, when that is in the target. ``library`` is set on a task registrar.
    """

    text: str
    name: str
    resolved: str
    line: int
    end_line: int
    is_call: bool
    wrapping: Wrapping
    keeps_name: bool = False
    wrapper: str | None = None
    definition: str | None = None
    library: str | None = None


@dataclass(frozen=True, slots=True)
class DecoratedFunction:
    """A function with decorators, outermost first. ``registrar`` is the index of the one that makes it a task.

    Code that is to run at its end goes behind ``last_line``, ``indent`` columns to the right. ``makes_vectors`` is
    known of tasks by their names (:mod:`doctor.source.vector_names`), and ``assigned`` are the attributes of objects to
    which their bodies give a value.
    """

    module: str
    name: str
    qualname: str
    path: str
    line: int
    is_async: bool
    decorators: tuple[DecoratorUse, ...]
    registrar: int | None = None
    last_line: int = 0
    indent: int = 4
    makes_vectors: bool = False
    assigned: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """``module.qualname``."""
        return f"{self.module}.{self.qualname}"

    @property
    def library(self) -> str | None:
        """The task queue that the function is registered with, such as ``taskiq``."""
        return None if self.registrar is None else self.decorators[self.registrar].library

    @property
    def above_registrar(self) -> tuple[DecoratorUse, ...]:
        """The decorators that are applied to the task object instead of to the function."""
        return () if self.registrar is None else self.decorators[: self.registrar]

    @property
    def below_registrar(self) -> tuple[DecoratorUse, ...]:
        """The decorators that make, of the function, what is registered; the outermost first."""
        return () if self.registrar is None else self.decorators[self.registrar + 1 :]


@dataclass(frozen=True, slots=True)
class LogCall:
    """A line that goes to a log: ``level`` as the method is called, ``text`` its first literal."""

    level: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Handler:
    """The broad ``except`` (or ``suppress``) around a call. ``caught`` is what it catches, as written."""

    line: int
    caught: str
    outcome: Outcome
    log: LogCall | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP route: ``POST /webhook/telegram`` and the function that answers it."""

    method: str
    url: str
    function: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A call that sends a task to its queue.

    ``target`` is the task as written, ``task`` its identity, or None when it cannot be resolved. ``function`` is
    the qualified name of the enclosing function. ``handler`` is what an exception of the call meets. ``direct`` is
    false for verbs that only build a message (``.s``). ``via`` names the function that enqueues, when the site is a
    call of it. ``routes`` answer success although the enqueue failed: they contain the site, or call its function.
    ``reached_from`` are the functions (``module.qualname``) that contain the site or lead to it by calls.
    """

    path: str
    line: int
    module: str
    function: str
    verb: str
    target: str
    task: str | None
    text: str
    handler: Handler | None = None
    direct: bool = True
    via: str | None = None
    routes: tuple[Route, ...] = ()
    reached_from: frozenset[str] = frozenset()

    @property
    def function_id(self) -> str:
        """``module.function`` of the enclosing function."""
        return f"{self.module}.{self.function}"

    @property
    def is_swallowed(self) -> bool:
        """Whether a failure of this call leaves nothing behind but a log line."""
        return self.handler is not None and self.handler.outcome is Outcome.LOGS_ONLY


@dataclass(frozen=True, slots=True)
class NonTask:
    """A call that would send a task, on a function that is registered with no queue.

    ``defined`` is the ``path:line`` of that function, ``as_route`` whether it answers HTTP requests.
    """

    path: str
    line: int
    function: str
    verb: str
    target: str
    text: str
    identity: str
    defined: str
    as_route: bool = False


@dataclass(frozen=True, slots=True)
class UnregisteredName:
    """A name under which ``function`` sends or schedules a task, and that no task is registered under.

    ``defined`` is the ``path:line`` of the function that the name means; empty: there is none. ``same`` is the one task
    that goes by the same last name.
    """

    path: str
    line: int
    module: str
    function: str
    name: str
    text: str
    defined: str = ""
    same: str = ""


class Purpose(StrEnum):
    """What a function is handed over for."""

    TASK = "task"
    """A worker runs it when it is asked for by its name."""
    ENQUEUE = "enqueue"
    SCHEDULE = "schedule"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A function that is given to a library instead of being decorated; known when the task graph is asked for.

    ``target`` (``module.qualname``) is the function, ``function`` the one that hands it over at ``path:line``, and
    ``reached_from`` are those that lead there. ``label`` is the route, as ``POST /x``.
    """

    purpose: Purpose
    path: str
    line: int
    function: str
    target: str
    defined_path: str
    defined_line: int
    label: str
    text: str
    reached_from: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TableWrite:
    """A statement or row that changes ``table``, in ``function`` or in a constant that it uses."""

    path: str
    line: int
    function: str
    table: str


class UnparsableKind(StrEnum):
    """Why a file could not be read as Python."""

    SYNTAX = "syntax error"
    ENCODING = "encoding"
    NULL_BYTES = "null bytes"
    TOO_DEEP = "nested too deeply"
    TOO_LARGE = "too large"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ImportSite:
    """A place that imports a module."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A file that could not be read as Python. ``line`` is where the parser gave up, or the first conflict marker."""

    path: str
    module: str
    kind: UnparsableKind
    message: str
    line: int | None = None
    has_conflict_markers: bool = False
    imported_by: tuple[ImportSite, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that one pass over the source found.

    ``files`` are all Python files, in order; ``searched`` is the number of those whose tree was walked for facts;
    ``unchecked`` is the number of those that no parser looked at, because the tree is too large for that.
    ``examples`` are functions in the examples of docstrings. ``spoken_of`` are the identities of tasks that nothing
    sends but that are used as a value or named in full, of tasks that make vectors and are used as a value, and of
    functions that lead to these and may be called in a way that cannot be seen. ``attached`` are the names of functions
    that the source itself gives methods of tasks (``=name``: replaces).
    ``collected`` has the facts of each collector; ``reached_from`` the callers of functions (path, qualified name) that
    the task graph asks about, and those that wait for the facts of collectors that are followed.
    """

    root: str
    files: tuple[str, ...] = ()
    functions: tuple[DecoratedFunction, ...] = ()
    enqueues: tuple[Enqueue, ...] = ()
    non_tasks: tuple[NonTask, ...] = ()
    unregistered: tuple[UnregisteredName, ...] = ()
    routes: tuple[Route, ...] = ()
    examples: tuple[DecoratedFunction, ...] = ()
    spoken_of: frozenset[str] = frozenset()
    attached: frozenset[str] = frozenset()
    handed_over: tuple[HandedOver, ...] = ()
    table_writes: tuple[TableWrite, ...] = ()
    unparsable: tuple[Unparsable, ...] = field(default=())
    searched: int = 0
    unchecked: int = 0
    collected: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    reached_from: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
