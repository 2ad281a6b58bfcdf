"""Which model the target embeds with, and on which server: as the environment says, else as the source does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from doctor.embeddings import EMBEDDING_MODEL_VARIABLES
from doctor.model_calls import default_uses, model_calls
from doctor.model_uses import EMBEDDING, ModelUse, ServerFinder
from doctor.resources.environment import Environment
from doctor.resources.models import Models, OllamaServer
from doctor.source.index import Source


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model on an Ollama server; ``origin`` is the variable or the place in the source (``path:line``)."""

    name: str
    server: OllamaServer
    origin: str


def embedding_model(environment: Environment, models: Models, source: Source | None = None) -> EmbeddingModel | None:
    """Return the model, or None where none is named, or the places of the source name several.

    A variable that is set counts; else what the code takes while it is not set; else what the code asks for by name. So
    it is with the server's address.
    """
    variable = next((one for name in EMBEDDING_MODEL_VARIABLES if (one := environment.get(name)) and one.value), None)
    if variable is not None and models.default is not None:
        return EmbeddingModel(variable.value, models.default, variable.name)
    if source is None:
        return None
    finder = ServerFinder(models, environment)
    servers, defaults = default_uses(source, environment, finder)
    server = next((one for one in servers if isinstance(one, OllamaServer)), None)
    if variable is not None and server is not None:
        return EmbeddingModel(variable.value, server, variable.name)
    return _only(_local(defaults)) or _only(_local(model_calls(source, environment, finder)))


def _local(uses: Iterable[ModelUse]) -> Iterator[EmbeddingModel]:
    """Yield those that embed on an Ollama server, where nothing that is embedded costs money."""
    for use in uses:
        if use.capability == EMBEDDING and isinstance(use.server, OllamaServer):
            yield EmbeddingModel(use.model, use.server, use.origin)


def _only(found: Iterable[EmbeddingModel]) -> EmbeddingModel | None:
    by_model = {(one.name, one.server): one for one in found}
    return next(iter(by_model.values())) if len(by_model) == 1 else None
