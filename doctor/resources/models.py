"""The target's model servers: the one that its environment names, and any other whose address a check finds."""

from __future__ import annotations

from doctor.model import Endpoint
from doctor.resources.model_names import nearest_capable, normalise_model_name, same_model
from doctor.resources.model_server import (
    Answer,
    InstalledModel,
    ModelDescription,
    ModelError,
    ModelNotFound,
    ModelServer,
    ModelServerError,
    ModelServerUnreachable,
    WrongPath,
)
from doctor.resources.ollama import OllamaServer, normalise_host

__all__ = [
    "Answer",
    "InstalledModel",
    "ModelDescription",
    "ModelError",
    "ModelNotFound",
    "ModelServer",
    "ModelServerError",
    "ModelServerUnreachable",
    "Models",
    "OllamaServer",
    "WrongPath",
    "nearest_capable",
    "normalise_host",
    "normalise_model_name",
    "same_model",
]


class Models:
    """All model servers of one run; each is one client, however many checks ask for it.

    ``url`` is the value of the target's ``OLLAMA_HOST`` or ``OLLAMA_BASE_URL`` (None: it names none), ``origin`` says
    where it was read. ``timeout`` is in seconds, for every question that needs no model to run.
    """

    def __init__(self, url: str | None = None, *, origin: str = "", timeout: float = 2.0) -> None:
        self._timeout = timeout
        self._ollama: dict[str, OllamaServer] = {}
        self._default = None if url is None or not url.strip() else self.ollama(url, origin=origin)

    @property
    def default(self) -> OllamaServer | None:
        """The server that the target's environment names, or None."""
        return self._default

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the default server is, or None."""
        return None if self._default is None else self._default.endpoint

    @property
    def is_loopback(self) -> bool:
        """Whether every server known so far is this machine."""
        return all(server.is_loopback for server in self._ollama.values())

    @property
    def server_version(self) -> str | None:
        """The default server's version, once it was asked."""
        return None if self._default is None else self._default.server_version

    @property
    def servers(self) -> tuple[OllamaServer, ...]:
        """Every server known so far, the default first."""
        return tuple(self._ollama.values())

    def ollama(self, url: str, *, origin: str = "") -> OllamaServer:
        """Return the Ollama server at ``url``; spellings of one address share one client."""
        try:
            key = normalise_host(url)
        except ValueError:
            key = url
        if key not in self._ollama:
            self._ollama[key] = OllamaServer(url, origin=origin, timeout=self._timeout)
        return self._ollama[key]

    async def close(self) -> None:
        """Close all clients."""
        for server in self._ollama.values():
            await server.close()
