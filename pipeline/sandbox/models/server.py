"""What the routes of one stand-in share: its models, which of them are loaded, how it misbehaves, and the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeAlias

from doctor.pipeline.sandbox.models.behaviour import Behaviour
from doctor.pipeline.sandbox.models.catalog import Catalog, Model
from doctor.pipeline.sandbox.models.names import ModelName, parse_name
from doctor.pipeline.sandbox.models.protocol import RefusalError
from doctor.pipeline.sandbox.models.residency import Residents

#: Loading costs this much even when no delay is asked for, so that ``load_duration`` tells a first use.
LEAST_LOAD_SECONDS = 0.001

#: How often it is looked whether the client still waits.
LOOK_SECONDS = 0.05

Gone: TypeAlias = Callable[[], Awaitable[bool]]
"""Tells whether the client has gone away."""


class Server:
    """State behind the routes."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.residents = Residents()
        self.behaviour = Behaviour()

    def find(self, name: str) -> Model | None:
        """Return the model of that name, read as Ollama reads names."""
        parsed: ModelName = parse_name(name)
        return self.catalog.find(parsed) if parsed.is_valid else None

    async def load(self, model: Model, context: int | None, keep_alive: float | str | None, gone: Gone) -> int:
        """Have the model in memory; returns how long that took, in nanoseconds.

        As with Ollama, a client that goes away (``gone``) stops the load, and the next request begins it again.

        Raises:
            RefusalError: the client went away.
        """
        started = time.perf_counter_ns()
        if self.residents.needs_load(model, context):
            await self._wait(max(LEAST_LOAD_SECONDS, self.behaviour.rules.load_seconds), gone)
        self.residents.use(model, context, keep_alive)
        return time.perf_counter_ns() - started

    async def _wait(self, seconds: float, gone: Gone) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, LOOK_SECONDS))
            if left > LOOK_SECONDS and await gone():
                raise RefusalError(499, "request canceled")


def timestamp(moment: datetime | None = None) -> str:
    """Write a time as Ollama does: RFC 3339 with fractions, in UTC."""
    return (moment or datetime.now(UTC)).isoformat(timespec="microseconds").replace("+00:00", "Z")
