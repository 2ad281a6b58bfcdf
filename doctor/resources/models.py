"""The target's model servers: the one that its environment names, and any other whose address a check finds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from doctor.model import Endpoint, Secret
from doctor.resources.hugging_face import HUB, ROUTER, Access, Hub, HubModel, HuggingFace, without_provider
from doctor.resources.model_names import nearest_capable, normalise_model_name, same_model
from doctor.resources.model_server import (
    Answer,
    EndpointGone,
    Generated,
    InstalledModel,
    KeyRefused,
    LoadedModel,
    ModelDescription,
    ModelError,
    ModelNotFound,
    ModelServer,
    ModelServerError,
    ModelServerUnreachable,
    NotAllowed,
    NotServed,
    Served,
    WrongPath,
)
from doctor.resources.ollama import OllamaServer, normalise_host
from doctor.resources.openai_compatible import OpenAIServer, base_url

__all__ = [
    "Access",
    "Answer",
    "EndpointGone",
    "Generated",
    "Hub",
    "HubModel",
    "HuggingFace",
    "InstalledModel",
    "KeyRefused",
    "LoadedModel",
    "ModelDescription",
    "ModelError",
    "ModelNotFound",
    "ModelServer",
    "ModelServerError",
    "ModelServerUnreachable",
    "Models",
    "NotAllowed",
    "NotServed",
    "OllamaServer",
    "OpenAIServer",
    "Served",
    "WrongPath",
    "nearest_capable",
    "normalise_host",
    "normalise_model_name",
    "same_model",
    "without_provider",
]

S = TypeVar("S", OpenAIServer, HuggingFace)
T = TypeVar("T")


class Models:
    """All model servers of one run; each is one client, however many checks ask for it.

    ``url`` is the value of the target's ``OLLAMA_HOST`` or ``OLLAMA_BASE_URL`` (None: it names none), ``origin`` says
    where it was read. ``timeout`` is in seconds, for every question that needs no model to run.
    """

    def __init__(self, url: str | None = None, *, origin: str = "", timeout: float = 2.0) -> None:
        self._timeout = timeout
        self._ollama: dict[str, OllamaServer] = {}
        self._others: dict[tuple[object, ...], Any] = {}
        self._asked: dict[object, asyncio.Future[Any]] = {}
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
        """Whether every server known so far that the doctor could write to is this machine: it pulls models only."""
        return all(server.is_loopback for server in self._ollama.values())

    @property
    def server_version(self) -> str | None:
        """The default server's version, once it was asked."""
        return None if self._default is None else self._default.server_version

    @property
    def servers(self) -> tuple[OllamaServer, ...]:
        """Every Ollama server known so far, the default first."""
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

    def openai(self, url: str, *, origin: str = "", key: Secret | None = None) -> OpenAIServer:
        """Return the OpenAI-compatible server at ``url``, asked with ``key``."""
        return self._other(
            ("openai", _plain(url), key), lambda: OpenAIServer(url, origin=origin, key=key, timeout=self._timeout)
        )

    def hugging_face(
        self,
        router: str = ROUTER,
        *,
        hub: str = HUB,
        origin: str = "",
        token: Secret | None = None,
        hub_token: Secret | None = None,
    ) -> HuggingFace:
        """Return Hugging Face: its router, asked with ``token``, and the Hub at ``hub``, asked with ``hub_token``.

        They differ where the base URL is somebody else's: neither may see what is meant for the other.
        """
        return self._other(
            ("huggingface", _plain(router), _plain(hub), token, hub_token),
            lambda: HuggingFace(
                OpenAIServer(router, origin=origin, key=token, timeout=self._timeout),
                Hub(hub, origin=origin, token=hub_token, timeout=self._timeout),
            ),
        )

    async def once(self, key: object, question: Callable[[], Awaitable[T]]) -> T:
        """Ask a question that several checks have at the same time only once; the next one asks anew."""
        running = self._asked.get(key)
        if running is None:
            running = self._asked[key] = asyncio.ensure_future(question())
            running.add_done_callback(lambda done: self._forget(key, done))
        answer: T = await asyncio.shield(running)
        return answer

    def _forget(self, key: object, done: asyncio.Future[Any]) -> None:
        self._asked.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever asked may have given up; then nobody else looks at it

    async def listing(self, server: ModelServer) -> tuple[InstalledModel, ...]:
        """Return the models of a server. Raises as its ``list`` does."""
        return await self.once(("list", server), server.list)

    def _other(self, key: tuple[object, ...], make: Callable[[], S]) -> S:
        if key not in self._others:
            self._others[key] = make()
        found: S = self._others[key]
        return found

    async def close(self) -> None:
        """Close all clients, and leave no question behind."""
        unanswered = tuple(self._asked.values())
        for running in unanswered:
            running.cancel()
        await asyncio.gather(*unanswered, return_exceptions=True)
        for server in (*self._ollama.values(), *self._others.values()):
            await server.close()


def _plain(url: str) -> str:
    try:
        return base_url(url)
    except ValueError:
        return url
