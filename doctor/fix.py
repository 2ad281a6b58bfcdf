"""What a fix is: plan, preview, apply. It has no verify of its own: the check that found the problem runs again.

A fix reads through the same resources as a check and writes only through the :class:`Writers` that the engine hands
out, each of which journals the inverse of a step before the step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from doctor.model import JSON, Finding

if TYPE_CHECKING:
    from psycopg import sql


class Phase(IntEnum):
    """The order of repairs: what later phases need must be whole before them."""

    SOURCE = 1
    CONFIGURATION = 2
    DATA = 3
    SCHEMA = 4
    """After the data: a vector index makes every later write of a vector many times slower."""
    REQUEUE = 5


class FixError(Exception):
    """A fix cannot go on; the message says why and what a person can do."""


class NothingToDoError(FixError):
    """The precondition no longer holds: the target is already as it should be."""


class RefusedError(FixError):
    """The fix will not touch the target in the state it is in."""


class RowsRefusedError(FixError):
    """The database does not take at least one of these rows; the message is its own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fix would do: one sentence, the diff or SQL, what is touched, which locks it takes, how long it may take.

    ``payload`` is what ``apply`` needs and is nobody else's business.
    """

    summary: str
    preview: str
    touches: tuple[str, ...]
    locks: str = "none"
    estimate: str = "at once"
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the person allows each bulk repair: rows per batch, rows in all, rows per second (None: no limit), workers
    at once in this process."""

    batch_size: int = 100
    limit: int | None = None
    rate: float | None = None
    workers: int = 2


@dataclass(frozen=True, slots=True)
class RangeJob:
    """Rows of ``table`` (``schema.table``) to be filled, which are divided into ranges of their ``key``.

    ``pending`` is the condition for a row that lacks its vector. ``rows`` is how many there are, ``limit`` how many
    of them are wanted (None: all).
    """

    table: str
    key: str
    key_type: str
    column: str
    pending: sql.Composable
    rows: int
    rows_per_range: int
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The rows whose key lies from ``low`` to ``high``, both included; None: no bound."""

    id: int
    low: Any
    high: Any


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """An index to be built: its ``CREATE INDEX CONCURRENTLY``, and with how much memory (bytes) and how many workers.

    ``table`` and ``name`` are ``schema.name``. ``replaces`` is an invalid index that is dropped first. None leaves
    workers and tablespace to the server.
    """

    table: str
    name: str
    statement: str
    memory: int
    workers: int | None = None
    tablespace: str | None = None
    replaces: str | None = None


class SourceWriter(Protocol):
    """Replaces files of the target's source."""

    def replace(self, path: Path, before: bytes, after: bytes) -> None:
        """Write ``after`` over ``before``.

        Raises:
            RefusedError: when the file no longer holds ``before``.
        """


class DatabaseWriter(Protocol):
    """Writes to the target's PostgreSQL. Table names are ``schema.table``; keys and values map column → value."""

    async def update_row(
        self, table: str, key: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        """Change the columns of one row.

        Raises:
            RefusedError: when the row no longer holds ``before``.
        """

    async def insert_row(self, table: str, row: Mapping[str, Any], key: Sequence[str]) -> Mapping[str, Any]:
        """Insert one row and return the values of its key columns."""

    async def create_index(self, build: IndexBuild, progress: Callable[[str], None]) -> str:
        """Build one index on a connection of its own, and drop what a failure leaves behind.

        Returns what the server said of it, and what the planner makes of it.

        Raises:
            FixError: it cannot be built now, or the remainder of the failure could not be dropped.
        """

    async def drop_index(self, again: IndexBuild) -> None:
        """Drop a valid index; ``again`` is how undo builds it anew.

        Raises:
            RefusedError: it cannot be dropped now.
        """

    async def drop_invalid_index(self, name: str) -> None:
        """Drop an index that PostgreSQL never uses because its build failed. Undo does not bring it back.

        Raises:
            RefusedError: when the index is valid, or being built.
        """

    async def retype_vectors(self, table: str, column: str, before: int, after: int) -> None:
        """Change the number of dimensions of a vector column that holds no vector.

        Raises:
            RefusedError: when it holds one, or has another number than ``before``.
        """

    async def fill_vectors(
        self, table: str, key: str, column: str, content: str, rows: Sequence[tuple[Any, bytes, bytes]]
    ) -> int:
        """Write vectors (row key, SHA-256 of the content embedded, packed vector) where the column is NULL and the
        content unchanged.

        Returns the number of rows written. ``content`` is the SQL expression whose hash is compared.

        Raises:
            RowsRefusedError: the database does not take one of the rows; none was written.
            DatabaseUnreachable, QueryTimedOut: the connection was lost, or a lock not given; again may help.
            PermissionDenied: the role may not, or may not any more.
        """

    def leases(self, job: RangeJob) -> AbstractAsyncContextManager[Leases]:
        """Take part in a job, together with whoever else does.

        Raises:
            RefusedError: on entering, when another process has the job alone.
        """


class Leases(Protocol):
    """Claims on the ranges of a job. On leaving, what was claimed and not finished is given back."""

    async def claim(self) -> KeyRange | None:
        """Return a range to work on; None when there is none to be had."""

    async def others_at_work(self) -> bool:
        """Wait a moment when others hold all that is left, since a worker may die; False when nothing is left."""

    def finish(self, done: KeyRange, *, written: int, skipped: int, failed: int) -> None:
        """Note that every row of a range was looked at."""

    async def left(self) -> int | None:
        """Return how many rows nobody has finished yet; None when nobody else takes part."""


class QueueWriter(Protocol):
    """Publishes tasks on the target's queue."""

    async def publish(self, task: str, arguments: Mapping[str, JSON]) -> None:
        """Enqueue one task by its name, such as ``app.tasks.scoring:score_message_task``."""


class ModelWriter(Protocol):
    """Changes what a model server holds."""

    async def pull(self, server: str, model: str, progress: Callable[[str], None]) -> None:
        """Download a model to the server.

        Raises:
            FixError: when the server cannot find or fetch it.
        """


@dataclass(frozen=True, slots=True)
class Writers:
    """All writers of one repair; ``progress`` shows one line of text on a terminal."""

    source: SourceWriter
    database: DatabaseWriter
    queue: QueueWriter
    models: ModelWriter
    progress: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FixContext:
    """What a fix may read: the finding, its arguments, the limits, and the opened resources by name."""

    finding: Finding
    arguments: Mapping[str, JSON]
    limits: Limits
    resources: Mapping[str, Any] = field(default_factory=dict)


PlanFunction = Callable[[FixContext], Awaitable[Plan]]
ApplyFunction = Callable[[FixContext, Plan, Writers], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Fix:
    """One repair. ``needs`` are the resources that ``plan`` reads, ``optional`` those that it reads where the target
    has them and they can be opened; ``reverts`` tells whether undo can take it back.

    ``incremental`` repairs are kept as far as they got: each step is good by itself, and the next run goes on.
    """

    name: str
    title: str
    phase: Phase
    needs: tuple[str, ...]
    reverts: bool
    plan: PlanFunction
    apply: ApplyFunction
    page: str = ""
    incremental: bool = False
    optional: tuple[str, ...] = ()


def fixes_in(modules: Iterable[Any]) -> list[Fix]:
    """Return the fixes that are attributes of these modules, in the order of their phases and names."""
    found = {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Fix)}
    return sorted(found.values(), key=lambda fix: (fix.phase, fix.name))
