"""The models that the stand-in has, and those that it could pull."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from doctor.pipeline.sandbox.models.names import ModelName, parse_name


@dataclass(frozen=True, slots=True)
class Model:
    """What is known about a model. ``size`` in bytes; ``dimensions`` of its vectors; ``context`` in tokens."""

    name: str
    architecture: str
    parameters: str
    quantization: str
    dimensions: int
    context: int
    size: int
    capabilities: tuple[str, ...]

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that depend on the name alone, without a prefix, as in ``/api/tags``."""
        return hashlib.sha256(f"stand-in:{parse_name(self.name).key}".encode()).hexdigest()


_CHAT = ("completion", "tools")
_THINKING = ("completion", "tools", "thinking")
_EMBED = ("embedding",)

#: Every model that can be pulled. Dimensions, context and sizes are those of the real models.
LIBRARY = (
    Model("qwen2:7b-instruct-q4_K_M", "qwen2", "7.6B", "Q4_K_M", 3584, 32768, 4_683_087_332, _CHAT),
    Model("qwen3:8b", "qwen3", "8.2B", "Q4_K_M", 4096, 40960, 5_225_388_164, _THINKING),
    Model("deepseek-r1:7b", "qwen2", "7.6B", "Q4_K_M", 3584, 131072, 4_683_075_440, ("completion", "thinking")),
    Model("llama3.2:3b", "llama", "3.2B", "Q4_K_M", 3072, 131072, 2_019_393_189, _CHAT),
    Model("llama3.2:latest", "llama", "3.2B", "Q4_K_M", 3072, 131072, 2_019_393_189, _CHAT),
    Model("qwen2.5:7b", "qwen2", "7.6B", "Q4_K_M", 3584, 32768, 4_683_087_332, _CHAT),
    Model("mistral:7b", "llama", "7.2B", "Q4_K_M", 4096, 32768, 4_372_824_384, _CHAT),
    Model("gemma2:2b", "gemma2", "2.6B", "Q4_0", 2304, 8192, 1_629_518_495, ("completion",)),
    Model("nomic-embed-text:latest", "nomic-bert", "137M", "F16", 768, 2048, 274_302_450, _EMBED),
    Model("mxbai-embed-large:latest", "bert", "334M", "F16", 1024, 512, 669_615_493, _EMBED),
    Model("bge-m3:latest", "bert", "566.70M", "F16", 1024, 8192, 1_157_672_605, _EMBED),
    Model("all-minilm:latest", "bert", "23M", "F16", 384, 512, 45_960_996, _EMBED),
)

#: What a fresh stand-in has: the models of the incident.
DEFAULT_MODELS = ("qwen2:7b-instruct-q4_K_M", "qwen3:8b", "deepseek-r1:7b", "nomic-embed-text:latest")


class UnknownModelError(ValueError):
    """A name that the library does not hold; choose one of it."""


def find_in_library(name: ModelName) -> Model | None:
    """Return the model of that name, if it can be pulled."""
    return next((model for model in LIBRARY if parse_name(model.name).key == name.key), None)


class Catalog:
    """The models of one running stand-in, with the time at which each arrived."""

    def __init__(self, names: Iterable[str]) -> None:
        self._models: dict[str, tuple[Model, datetime]] = {}
        for name in names:
            model = find_in_library(parse_name(name))
            if model is None:
                known = ", ".join(model.name for model in LIBRARY)
                raise UnknownModelError(f"the stand-in knows no model {name!r}; it knows {known}")
            self.add(model)

    def __iter__(self) -> Iterator[tuple[Model, datetime]]:
        return iter(sorted(self._models.values(), key=lambda item: item[1], reverse=True))

    def add(self, model: Model) -> None:
        """Put a model in; the one that was there under that name is replaced."""
        self._models[parse_name(model.name).key] = (model, datetime.now(UTC))

    def find(self, name: ModelName) -> Model | None:
        """Return the model of that name, if it is here."""
        found = self._models.get(name.key)
        return found[0] if found else None

    def arrived(self, model: Model) -> datetime:
        """Return when the model was put in."""
        return self._models[parse_name(model.name).key][1]

    def remove(self, name: ModelName) -> bool:
        """Take a model out; False when it was not here."""
        return self._models.pop(name.key, None) is not None
