"""An Ollama server over plain HTTP. Its own client hides what a diagnosis needs: the raw answer and the reason.

Protocol: ``server/routes.go`` of Ollama. A path that does not exist is answered as text (``404 page not found``), a
model that does not exist as JSON that names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from doctor.model import Endpoint
from doctor.redaction import redact
from doctor.resources.address import in_url
from doctor.resources.model_answers import NO_MODEL, number, progress_line, refusal, section, text, vectors_of, words
from doctor.resources.model_http import BODY_MAX, LIST_MAX, ModelHttp, json_object
from doctor.resources.model_names import guessed_capabilities
from doctor.resources.model_server import (
    Answer,
    Generated,
    InstalledModel,
    LoadedModel,
    ModelDescription,
    ModelError,
    ModelServerError,
    ModelServerUnreachable,
    Vectors,
    WrongPath,
)
from doctor.resources.unreachable import Reason

DEFAULT_PORT = 11434
IDLE_TIMEOUT = 120.0
"""Seconds without a line of progress after which a download is held to be dead."""

PULL_TIMEOUT = 6 * 3600.0
"""Seconds after which a download is given up: 40 GB at 15 Mbit/s take as long. What came is kept by the server."""

ANSWER_TOKENS = 64
"""Tokens that a probing generation may take."""


def normalise_host(host: str | None) -> str:
    """Return the base URL for a value of ``OLLAMA_HOST``, by the rules of Ollama's own Python client.

    ``ollama`` → ``http://ollama:11434``, but ``http://ollama`` → port 80; a path is kept, and usually wrong.

    Raises:
        ValueError: the port is not a number, or the scheme is not HTTP's.
    """
    value = (host or "").strip().strip("\"'")
    scheme, _, rest = value.partition("://")
    port = {"http": 80, "https": 443}.get(scheme.lower(), DEFAULT_PORT) if rest else DEFAULT_PORT
    scheme, rest = (scheme.lower(), rest) if rest else ("http", value)
    if scheme not in ("http", "https"):
        raise ValueError(f"{scheme[:20]!r} is not a scheme of HTTP")
    parts = urlsplit(f"{scheme}://{rest}")
    base = f"{scheme}://{in_url(parts.hostname or '127.0.0.1')}:{parts.port or port}"
    path = parts.path.strip("/")
    return f"{base}/{path}" if path else base


class OllamaServer:
    """One Ollama server. ``timeout`` is in seconds and bounds every question that needs no model to run."""

    kind = "ollama"

    def __init__(
        self, url: str, *, origin: str, timeout: float = 2.0, headers: Mapping[str, str] | None = None
    ) -> None:
        invalid = ""
        try:
            self.url = normalise_host(url)
        except ValueError as error:
            self.url, invalid = "(invalid address)", str(error)
        self._http = ModelHttp(
            self.url, kind=self.kind, origin=origin, timeout=timeout, headers=headers, invalid=invalid
        )
        self._version: str | None = None

    @property
    def endpoint(self) -> Endpoint:
        """The base URL and where it came from."""
        return self._http.endpoint

    @property
    def sends_key(self) -> bool:
        """Whether it is asked with a key: Ollama's own protocol has none."""
        return False

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine."""
        return self._http.is_loopback

    @property
    def server_version(self) -> str | None:
        """The version, once :meth:`version` was asked."""
        return self._version

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def version(self) -> str:
        """Return the server's version. Raises as the module ``model_server`` says."""
        body, answer = await self._ask("GET", "/api/version")
        if not isinstance(body.get("version"), str):
            raise WrongPath(answer)
        self._version = redact(body["version"])[:40]
        return self._version

    async def list(self) -> tuple[InstalledModel, ...]:
        """Return the installed models by name; servers that do not list capabilities are asked for each model's.

        Raises:
            ModelError: see the module ``model_server``.
        """
        body, answer = await self._ask("GET", "/api/tags")
        if not isinstance(body.get("models"), list):
            raise WrongPath(answer)
        entries = [entry for entry in body["models"] if isinstance(entry, dict)]
        models = await asyncio.gather(*(self._installed(entry) for entry in entries[:1000]))
        return tuple(sorted(models, key=lambda model: model.name))

    async def _installed(self, entry: dict[str, Any]) -> InstalledModel:
        name, details = text(entry, "name") or text(entry, "model"), section(entry, "details")
        capabilities = words(entry.get("capabilities"))
        if not capabilities:
            try:
                capabilities = (await self.describe(name)).capabilities
            except ModelError:  # listed, but not to be described: a model half deleted, or an old server
                capabilities = guessed_capabilities(name, text(details, "family"))
        return InstalledModel(
            name=name,
            family=text(details, "family"),
            parameter_size=text(details, "parameter_size"),
            quantization=text(details, "quantization_level"),
            capabilities=capabilities,
            remote=bool(entry.get("remote_host") or entry.get("remote_model")),
        )

    async def describe(self, model: str) -> ModelDescription:
        """Return capabilities and lengths of a model without loading it.

        Raises:
            ModelNotFound: the server does not have it.
            ModelError: see the module ``model_server``.
        """
        body, _ = await self._ask("POST", "/api/show", {"model": model}, model=model)
        details, info = section(body, "details"), section(body, "model_info")
        family = text(details, "family")
        architecture = text(info, "general.architecture") or family
        return ModelDescription(
            name=model,
            capabilities=words(body.get("capabilities")) or guessed_capabilities(model, family),
            embedding_length=number(info.get(f"{architecture}.embedding_length")),
            context_length=number(info.get(f"{architecture}.context_length")),
            family=family,
            parameter_size=text(details, "parameter_size"),
            quantization=text(details, "quantization_level"),
        )

    async def embed(self, model: str, texts: Sequence[str], *, timeout: float = 60.0) -> Vectors:
        """Return one vector per text. A model that must be loaded first may need long.

        Raises:
            ModelNotFound: the server does not have it.
            ModelServerError: also when it gives another number of vectors than texts.
            ModelError: see the module ``model_server``.
        """
        if not texts:
            return []
        request = {"model": model, "input": [*texts], "truncate": True}
        body, answer = await self._ask("POST", "/api/embed", request, timeout=timeout, model=model, limit=BODY_MAX)
        return vectors_of(body.get("embeddings"), len(texts), answer)

    async def generate(self, model: str, prompt: str, *, timeout: float = 120.0) -> Generated:
        """Return a short answer to ``prompt``: proof that the model runs. May be empty when the model thinks first.

        Raises:
            ModelNotFound: the server does not have it.
            ModelError: see the module ``model_server``.
        """
        request = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "stream": False,
            "options": {"num_predict": ANSWER_TOKENS, "temperature": 0},
        }
        body, answer = await self._ask("POST", "/api/chat", request, timeout=timeout, model=model, limit=BODY_MAX)
        if not isinstance(body.get("message"), dict):
            raise WrongPath(answer)
        loading = number(body.get("load_duration"))
        return Generated(
            text=redact(text(body["message"], "content")),
            finish=text(body, "done_reason"),
            load_seconds=None if loading is None else loading / 1e9,
        )

    async def loaded(self) -> tuple[LoadedModel, ...]:
        """Return the models in memory; none means cold, not down.

        Raises:
            ModelError: see the module ``model_server``.
        """
        body, answer = await self._ask("GET", "/api/ps")
        if not isinstance(body.get("models"), list):
            raise WrongPath(answer)
        return tuple(
            LoadedModel(
                name=text(entry, "name") or text(entry, "model"),
                context_length=number(entry.get("context_length")),
                size=number(entry.get("size")) or 0,
                size_in_gpu=number(entry.get("size_vram")) or 0,
            )
            for entry in body["models"][:1000]
            if isinstance(entry, dict)
        )

    async def pull(
        self,
        model: str,
        progress: Callable[[str], None],
        *,
        idle: float = IDLE_TIMEOUT,
        total: float = PULL_TIMEOUT,
    ) -> None:
        """Make the server download a model; ``progress`` gets one line whenever something changed.

        ``idle`` are the seconds without a whole line, ``total`` those of all of it, after which it is given up.

        Raises:
            ModelNotFound: the registry does not have it.
            ModelServerError: the download failed or ended without success.
            ModelError: see the module ``model_server``.
        """
        try:
            async with asyncio.timeout(total):
                status = await self._pulled(model, progress, idle)
        except TimeoutError:
            address = self.endpoint.address
            raise ModelServerUnreachable(Reason.TIMEOUT, address, f"no end of the download in {total:g} s") from None
        if status != "success":
            raise ModelServerError(
                f"the download of {model!r} ended at {status!r}", Answer.of(self.url + "/api/pull", 200, "", b"")
            )

    async def _pulled(self, model: str, progress: Callable[[str], None], idle: float) -> str:
        """Follow a download to its end and return its last status. Raises as :meth:`pull` does."""
        last, status = "", ""
        asked = {"model": model, "stream": True}
        async with self._http.response("POST", "/api/pull", asked, idle) as response:
            if response.status_code >= 400:
                refused, raw = await self._http.read(response)
                raise refusal(refused, json_object(raw), model)
            async for line in self._http.lines(response, idle):
                answer = Answer.of(str(response.url), response.status_code, "application/x-ndjson", line)
                event = json_object(line)
                if event is None:
                    raise WrongPath(answer)
                if error := text(event, "error"):
                    raise refusal(answer, event, model) if NO_MODEL.search(error) else ModelServerError(error, answer)
                status = text(event, "status")
                if (shown := progress_line(event)) != last:
                    progress(shown)
                    last = shown
        return status

    async def _ask(
        self,
        method: str,
        path: str,
        request: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        model: str = "",
        limit: int = LIST_MAX,
    ) -> tuple[dict[str, Any], Answer]:
        return await self._http.ask(
            method,
            path,
            request,
            refusal=lambda answer, body: refusal(answer, body, model),
            timeout=timeout,
            limit=limit,
        )
