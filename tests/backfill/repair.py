"""The repair as ``doctor fix`` makes it, on one table of a test: planned, applied and journalled, without the rest.

Ranges are short and leases too, so that a small table is shared as a large one would be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from doctor.backfill_leases import SMALL_JOB, Leases
from doctor.embedding_texts import EmbeddingTexts
from doctor.fix import FixContext, Limits, Plan, RangeJob, Writers
from doctor.fixes.backfill_embeddings import BACKFILL_EMBEDDINGS
from doctor.journal import Journal, in_reverse
from doctor.model import Secret
from doctor.resources.database import Database
from doctor.resources.models import Models
from doctor.writers import DatabaseWriter, Undo

TABLE = "public.notes"
BATCH = 10
RANGE = 20
LEASE_SECONDS = 0.6


class SharingWriter(DatabaseWriter):
    """Takes a small job for a large one."""

    def leases(self, job: RangeJob) -> Leases:
        large = replace(job, rows=SMALL_JOB + 1, rows_per_range=RANGE)
        return Leases(self._database, self._journal, large, seconds=LEASE_SECONDS)


@dataclass(frozen=True)
class Repair:
    """One repair from one folder. ``shared`` takes the job for a large one."""

    database: Database
    models: Models
    journal: Journal
    shared: bool

    async def plan(self, **limits: Any) -> tuple[FixContext, Plan]:
        context = FixContext(
            finding=None,  # type: ignore[arg-type]  # the repair reads its arguments only
            arguments={"table": TABLE, "column": "embedding"},
            limits=Limits(**{"batch_size": BATCH, **limits}),
            resources={
                "database": self.database,
                "models": self.models,
                "environment": SimpleNamespace(get=lambda name: SimpleNamespace(name=name, value="stand-in")),
                "texts": EmbeddingTexts(),
            },
        )
        return context, await BACKFILL_EMBEDDINGS.plan(context)

    async def make(self, progress: Callable[[str], None] = lambda _line: None, **limits: Any) -> str:
        context, plan = await self.plan(**limits)
        return await BACKFILL_EMBEDDINGS.apply(context, plan, self.writers(progress))

    async def undo(self) -> list[str]:
        """Take back what the journal holds; return what was done."""
        undo = Undo(Path.cwd(), self.journal, self._open)
        return [done for entry in in_reverse(self.journal.entries()) if (done := await undo.revert(entry))]

    def writers(self, progress: Callable[[str], None] = lambda _line: None) -> Writers:
        writer = (SharingWriter if self.shared else DatabaseWriter)(self._open, self.journal)
        nothing: Any = None
        return Writers(nothing, writer, nothing, nothing, progress)

    async def _open(self) -> Database:
        return self.database


@asynccontextmanager
async def repairing(database_url: str, model_url: str, journal: Path, *, shared: bool = True) -> AsyncIterator[Repair]:
    """Open what a repair needs."""
    database, models = Database(Secret(database_url), origin="test"), Models(model_url, origin="test")
    try:
        yield Repair(database, models, Journal(journal), shared)
    finally:
        await database.close()
        await models.close()
