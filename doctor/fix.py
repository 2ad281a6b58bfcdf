"""What a fix is: plan, preview, apply. It has no verify of its own: the check that found the problem runs again.

A fix reads through the same resources as a check and writes only through the :class:`Writers` that the engine hands
out, each of which journals the inverse of a step before the step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Protocol

from doctor.model import JSON, Finding


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
    """What the person allows each bulk repair: rows per batch, rows in all, rows per second (None: no limit)."""

    batch_size: int = 100
    limit: int | None = None
    rate: float | None = None


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

    async def create_index(self, name: str, statement: str, *, replaces: str | None = None) -> None:
        """Run one ``CREATE INDEX CONCURRENTLY`` on a connection of its own; drop what a failure leaves behind.

        ``replaces`` is an invalid index that is dropped first.
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
        self, table: str, key: str, column: str, content: str, rows: Sequence[tuple[Any, str, Sequence[float]]]
    ) -> int:
        """Write vectors (row key, md5 of the content embedded, vector) where the column is NULL and the content
        unchanged.

        Returns the number of rows written. ``content`` is the SQL expression whose md5 is compared.
        """


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
    """One repair. ``needs`` are the resources that ``plan`` reads; ``reverts`` tells whether undo can take it back.

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


def fixes_in(modules: Iterable[Any]) -> list[Fix]:
    """Return the fixes that are attributes of these modules, in the order of their phases and names."""
    found = {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Fix)}
    return sorted(found.values(), key=lambda fix: (fix.phase, fix.name))
