"""What the routes of one stand-in share: its models, which of them are loaded, how it misbehaves, and the time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from doctor.pipeline.sandbox.models.behaviour import Behaviour
from doctor.pipeline.sandbox.models.catalog import Catalog, Model
from doctor.pipeline.sandbox.models.names import ModelName, parse_name
from doctor.pipeline.sandbox.models.residency import Residents

#: Loading costs this much even when no delay is asked for, so that ``load_duration`` tells a first use.
LEAST_LOAD_SECONDS = 0.001


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

    async def load(self, model: Model, context: int | None, keep_alive: float | str | None) -> int:
        """Have the model in memory; returns how long that took, in nanoseconds. A waiting client may give up."""
        started = time.perf_counter_ns()
        if self.residents.use(model, context, keep_alive):
            try:
                await asyncio.sleep(max(LEAST_LOAD_SECONDS, self.behaviour.rules.load_seconds))
            except asyncio.CancelledError:
                # As with Ollama, a client that goes away stops the load, and the next request begins it again.
                self.residents.forget(model)
                raise
        return time.perf_counter_ns() - started


def timestamp(moment: datetime | None = None) -> str:
    """Write a time as Ollama does: RFC 3339 with fractions, in UTC."""
    return (moment or datetime.now(UTC)).isoformat(timespec="microseconds").replace("+00:00", "Z")
