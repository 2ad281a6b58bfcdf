"""How far the build of an index is, told while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from doctor.resources.database import Database, DatabaseError

POLL = 0.5
"""Seconds between two looks."""

_PROGRESS = """
    SELECT phase, blocks_done, blocks_total, current_locker_pid
    FROM pg_stat_progress_create_index WHERE pid = %(pid)s
"""


@asynccontextmanager
async def told(database: Database, backend: int, name: str, progress: Callable[[str], None]) -> AsyncIterator[None]:
    """Tell how far the build of the server's process ``backend`` is, while the body runs."""

    async def tell() -> None:
        while True:
            with suppress(DatabaseError):
                row = await database.fetch_one(_PROGRESS, {"pid": backend})
                if row is not None:
                    progress(f"building {name}: {_stage(row)}")
            await asyncio.sleep(POLL)

    telling = asyncio.ensure_future(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait({telling})


def _stage(row: dict[str, Any]) -> str:
    """Return the phase of a build, with its share, or with whom it waits for."""
    phase = str(row["phase"]).removeprefix("building index: ")
    if row["current_locker_pid"]:
        return f"{phase}, pid {row['current_locker_pid']}"
    if row["blocks_total"]:
        return f"{phase}, {row['blocks_done'] / row['blocks_total']:.0%}"
    return phase
