"""Where the time of a pass goes; for measurements only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Phases:
    """Seconds by phase, in the order of their beginning."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Add the time that the block takes."""
        started = time.perf_counter()
        self.seconds.setdefault(phase, 0.0)
        try:
            yield
        finally:
            self.seconds[phase] += time.perf_counter() - started
