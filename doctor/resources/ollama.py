"""An Ollama server over plain HTTP. Its own client hides what a diagnosis needs: the raw answer and the reason.

Protocol: ``server/routes.go`` of Ollama. A path that does not exist is answered as text (``404 page not found``), a
model that does not exist as JSON that names it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from doctor.late import httpx
from doctor.model import Endpoint
from doctor.redaction import redact
from doctor.resources.address import in_url, is_loopback, resolve
from doctor.resources.model_names import guessed_capabilities
from doctor.resources.model_server import (
    Answer,
    InstalledModel,
    ModelDescription,
    ModelError,
    ModelServerError,
    ModelServerUnreachable,
    Vectors,
    WrongPath,
)
from doctor.resources.ollama_answers import (
    NO_MODEL,
    json_object,
    number,
    progress_line,
    refusal,
    section,
    text,
    why,
    words,
)
from doctor.resources.unreachable import Reason, reason_of

DEFAULT_PORT = 11434
BODY_MAX = 64 * 1024 * 1024
"""Bytes of an answer beyond which it is not read on."""

IDLE_TIMEOUT = 120.0
"""Seconds without a line of progress after which a download is held to be dead."""

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
        self._origin = origin
        self._timeout = timeout
        self._headers = dict(headers or {})
        self._client: httpx.AsyncClient | None = None
        self._invalid = ""
        self._version: str | None = None
        try:
            self.url = normalise_host(url)
        except ValueError as error:
            self.url, self._invalid = "(invalid address)", str(error)

    @property
    def endpoint(self) -> Endpoint:
        """The base URL and where it came from."""
        return Endpoint(self.kind, redact(self.url), self._origin)

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine."""
        return not self._invalid and is_loopback(urlsplit(self.url).hostname or "")

    @property
    def server_version(self) -> str | None:
        """The version, once :meth:`version` was asked."""
        return self._version

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def version(self) -> str:
        """Return the server's version. Raises as the module ``model_server`` says."""
        body, answer = await self._ask("GET", "/api/version", timeout=self._timeout)
        if not isinstance(body.get("version"), str):
            raise WrongPath(answer)
        self._version = redact(body["version"])[:40]
        return self._version

    async def list(self) -> tuple[InstalledModel, ...]:
        """Return the installed models by name; servers that do not list capabilities are asked for each model's.

        Raises:
            ModelError: see the module ``model_server``.
        """
        body, answer = await self._ask("GET", "/api/tags", timeout=self._timeout)
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
        body, _ = await self._ask("POST", "/api/show", {"model": model}, timeout=self._timeout, model=model)
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
        body, answer = await self._ask("POST", "/api/embed", request, timeout=timeout, model=model)
        vectors = body.get("embeddings")
        if not isinstance(vectors, list):
            raise WrongPath(answer)
        if len(vectors) != len(texts):
            raise ModelServerError(f"{len(texts)} texts were sent and {len(vectors)} vectors came back", answer)
        try:
            return [[float(item) for item in vector] for vector in vectors]
        except (TypeError, ValueError):
            raise ModelServerError("a vector holds something that is not a number", answer) from None

    async def generate(self, model: str, prompt: str, *, timeout: float = 120.0) -> str:
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
        body, answer = await self._ask("POST", "/api/chat", request, timeout=timeout, model=model)
        if not isinstance(body.get("message"), dict):
            raise WrongPath(answer)
        return redact(text(body["message"], "content"))

    async def pull(self, model: str, progress: Callable[[str], None]) -> None:
        """Make the server download a model; ``progress`` gets one line whenever something changed.

        Raises:
            ModelNotFound: the registry does not have it.
            ModelServerError: the download failed or ended without success.
            ModelError: see the module ``model_server``.
        """
        last, status = "", ""
        async with self._response("POST", "/api/pull", {"model": model, "stream": True}, IDLE_TIMEOUT) as response:
            if response.status_code >= 400:
                raise refusal(await self._read(response), model)
            async for line in response.aiter_lines():
                answer = Answer.of(str(response.url), response.status_code, "application/x-ndjson", line.encode())
                event = json_object(line.encode())
                if event is None:
                    raise WrongPath(answer)
                if error := text(event, "error"):
                    raise (
                        refusal((answer, event), model) if NO_MODEL.search(error) else ModelServerError(error, answer)
                    )
                status = text(event, "status")
                if (shown := progress_line(event)) != last:
                    progress(shown)
                    last = shown
        if status != "success":
            raise ModelServerError(
                f"the download of {model!r} ended at {status!r}", Answer.of(self.url + "/api/pull", 200, "", b"")
            )

    async def _ask(
        self, method: str, path: str, request: Mapping[str, Any] | None = None, *, timeout: float, model: str = ""
    ) -> tuple[dict[str, Any], Answer]:
        """Ask one question with one JSON object as the answer."""
        try:
            async with asyncio.timeout(timeout), self._response(method, path, request, timeout) as response:
                answer, body = await self._read(response)
        except TimeoutError:
            raise ModelServerUnreachable(Reason.TIMEOUT, self.endpoint.address, f"{path} in {timeout:g} s") from None
        if answer.status >= 400:
            raise refusal((answer, body), model)
        if body is None:
            raise WrongPath(answer)
        return body, answer

    @asynccontextmanager
    async def _response(
        self, method: str, path: str, request: Mapping[str, Any] | None, timeout: float
    ) -> AsyncIterator[httpx.Response]:
        client = await self._opened()
        try:
            async with client.stream(method, self.url + path, json=request, timeout=timeout) as response:
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ModelServerUnreachable(why(error), self.endpoint.address, str(error)) from error

    async def _opened(self) -> httpx.AsyncClient:
        if self._invalid:
            raise ModelServerUnreachable(Reason.INVALID_ADDRESS, self.endpoint.address, self._invalid)
        if self._client is None:
            parts = urlsplit(self.url)
            try:
                await resolve(parts.hostname or "", parts.port or DEFAULT_PORT, self._timeout)
            except (OSError, TimeoutError) as error:
                raise ModelServerUnreachable(reason_of(error), self.endpoint.address, str(error)) from error
            # Loading the certificates takes longer than all questions to a local server together.
            bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if parts.scheme == "http" else True
            self._client = self._client or httpx.AsyncClient(
                verify=bare, headers=self._headers, follow_redirects=True, trust_env=not self.is_loopback
            )
        return self._client

    async def _read(self, response: httpx.Response) -> tuple[Answer, dict[str, Any] | None]:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > BODY_MAX:
                break
        content_type = response.headers.get("content-type", "")
        retry_after = response.headers.get("retry-after", "")
        answer = Answer.of(str(response.url), response.status_code, content_type, bytes(body), retry_after)
        return answer, json_object(bytes(body))
