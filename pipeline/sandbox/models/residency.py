"""Which models are loaded, as ``GET /api/ps`` tells: a model is loaded by its first use and leaves after a while."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from doctor.pipeline.sandbox.models.catalog import Model

#: Ollama's defaults (``OLLAMA_KEEP_ALIVE``; ``OLLAMA_CONTEXT_LENGTH`` on a machine with less than 23 GiB of VRAM).
KEEP_ALIVE = timedelta(minutes=5)
DEFAULT_CONTEXT = 4096

_DURATION = re.compile(r"(-?\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Resident:
    """A loaded model, with the size of its context in tokens."""

    model: Model
    context: int
    expires_at: datetime


class Residents:
    """The loaded models of one stand-in."""

    def __init__(self) -> None:
        self._loaded: dict[str, Resident] = {}

    def current(self) -> list[Resident]:
        """Return those whose time has not run out."""
        now = datetime.now(UTC)
        self._loaded = {name: resident for name, resident in self._loaded.items() if resident.expires_at > now}
        return list(self._loaded.values())

    def needs_load(self, model: Model, context: int | None) -> bool:
        """Tell whether the model must be loaded for a use: it is not there, or with another context size."""
        present = self._present(model)
        return present is None or present.context != self._wanted(model, context)

    def use(self, model: Model, context: int | None, keep_alive: float | str | None) -> None:
        """Note a use."""
        wanted = self._wanted(model, context)
        self._loaded[model.name] = Resident(model, wanted, datetime.now(UTC) + keep_alive_of(keep_alive))

    def _present(self, model: Model) -> Resident | None:
        return {resident.model.name: resident for resident in self.current()}.get(model.name)

    def _wanted(self, model: Model, context: int | None) -> int:
        present = self._present(model)
        return context or (present.context if present else min(DEFAULT_CONTEXT, model.context))

    def forget(self, model: Model) -> None:
        """Unload a model."""
        self._loaded.pop(model.name, None)


def keep_alive_of(value: float | str | None) -> timedelta:
    """Read ``keep_alive``: seconds, text like ``1h30m``, or negative for ever; what cannot be read is the default."""
    if value is None:
        return KEEP_ALIVE
    if isinstance(value, str):
        parts = _DURATION.findall(value)
        if not parts:
            return KEEP_ALIVE
        value = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return timedelta(days=365) if value < 0 else timedelta(seconds=min(value, 365 * 86_400))
