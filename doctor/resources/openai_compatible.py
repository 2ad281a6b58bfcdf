"""A server that speaks OpenAI's protocol: OpenAI, vLLM, the router of Hugging Face, Ollama's ``/v1``, and friends.

The base URL holds the version (``…/v1``). Which 404 it is decides everything: a path that does not exist is answered
as text, as HTML or as ``{"detail": "Not Found"}``; a model that does not exist as JSON that names it. Some servers say
422 for the latter (Scaleway), and many put the error's object at the top of the body (vLLM).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from doctor.model import Endpoint, Secret
from doctor.redaction import redact
from doctor.resources.model_answers import number, text, vectors_of
from doctor.resources.model_http import BODY_MAX, LIST_MAX, Body, ModelHttp, json_value
from doctor.resources.model_names import guessed_capabilities
from doctor.resources.model_server import (
    Answer,
    EndpointGone,
    Generated,
    InstalledModel,
    KeyRefused,
    ModelDescription,
    ModelError,
    ModelNotFound,
    ModelServerError,
    NotAllowed,
    NotServed,
    Served,
    Vectors,
    WrongPath,
)

ANSWER_TOKENS = 64
"""Tokens that a probing generation may take."""

MODELS_MAX = 5_000
"""Models of a list that are read."""

NO_MODEL = re.compile(
    r"model.{0,200}(?:does not exist|not found|not exist)|no such model|unknown model|invalid model", re.IGNORECASE
)
NOT_SERVED = re.compile(r"not supported by any provider|model_not_supported", re.IGNORECASE)

CONTROL_MODEL = "doctor-asks-for-a-model-that-cannot-exist"
"""A name that no server has: what is said of it shows whether the path is right, and costs nothing."""


def base_url(url: str) -> str:
    """Return ``url`` without blanks, quotes, query and the slash at its end.

    Raises:
        ValueError: it is no URL of HTTP.
    """
    parts = urlsplit(url.strip().strip("\"'"))
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError("a base URL begins with http:// or https:// and names a host")
    _ = parts.port
    return urlunsplit((parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower(), parts.path.rstrip("/"), "", ""))


class OpenAIServer:
    """One base URL. ``timeout`` is in seconds and bounds every question that needs no model to run."""

    kind = "openai"

    def __init__(self, url: str, *, origin: str, key: Secret | None = None, timeout: float = 2.0) -> None:
        invalid = ""
        try:
            self.url = base_url(url)
        except ValueError as error:
            self.url, invalid = "(invalid address)", str(error)
        self.key = key
        self._http = ModelHttp(self.url, kind=self.kind, origin=origin, timeout=timeout, key=key, invalid=invalid)

    @property
    def endpoint(self) -> Endpoint:
        """The base URL and where it came from."""
        return self._http.endpoint

    @property
    def sends_key(self) -> bool:
        """Whether it is asked with a key."""
        return self._http.sends_key

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine."""
        return self._http.is_loopback

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def version(self) -> str:
        """Make sure that the server answers; the protocol has no version. Raises as ``model_server`` says."""
        await self.list()
        return ""

    async def list(self) -> tuple[InstalledModel, ...]:
        """Return the models that the server offers to this key, by name.

        Raises:
            ModelError: see the module ``model_server``.
        """
        body, answer = await self._ask("GET", "/models")
        if not isinstance(body.get("data"), list | None) or "data" not in body:
            raise WrongPath(answer)
        entries = [entry for entry in (body["data"] or ())[:MODELS_MAX] if isinstance(entry, dict)]
        return tuple(sorted((offered(entry) for entry in entries), key=lambda model: model.name))

    async def describe(self, model: str) -> ModelDescription:
        """Return what the server says of one model: little, beyond that it is there.

        Raises:
            ModelNotFound: the server does not have it.
            ModelError: see the module ``model_server``.
        """
        body, answer = await self._ask("GET", f"/models/{quote(model, safe='/')}", model=model)
        if not isinstance(body.get("id"), str):
            raise WrongPath(answer)
        found = offered(body)
        return ModelDescription(model, found.capabilities, context_length=found.context_length)

    async def knows_its_paths(self) -> Answer:
        """Ask for a model that cannot exist; the answer shows whether the base URL is right where no list is given.

        Raises:
            WrongPath: the path does not exist.
            ModelError: see the module ``model_server``.
        """
        request = {"model": CONTROL_MODEL, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
        try:
            _, answer = await self._ask("POST", "/chat/completions", request, model=CONTROL_MODEL)
        except (ModelNotFound, NotServed) as error:
            return error.answer
        except ModelServerError as error:
            if error.status in (400, 422):
                return error.answer
            raise
        return answer

    async def embed(self, model: str, texts: Sequence[str], *, timeout: float = 60.0) -> Vectors:
        """Return one vector per text.

        Raises:
            ModelNotFound: the server does not have the model.
            ModelServerError: also when it gives another number of vectors than texts.
            ModelError: see the module ``model_server``.
        """
        if not texts:
            return []
        request = {"model": model, "input": [*texts], "encoding_format": "float"}
        body, answer = await self._ask("POST", "/embeddings", request, model=model, timeout=timeout, limit=BODY_MAX)
        if not isinstance(body.get("data"), list):
            raise WrongPath(answer)
        vectors = [entry.get("embedding") if isinstance(entry, dict) else None for entry in body["data"]]
        return vectors_of(vectors, len(texts), answer)

    async def embed_by_task(self, path: str, model: str, texts: Sequence[str], *, timeout: float) -> Vectors:
        """Return one vector per text, from a router that embeds under ``path`` beside its ``/v1``.

        Raises:
            ModelError: as :meth:`embed`.
        """
        beside = ModelHttp(
            self.url.removesuffix("/v1"),
            kind=self.kind,
            origin=self.endpoint.origin,
            timeout=timeout,
            key=self.key,
        )
        try:
            raw, answer = await beside.fetch(
                "POST",
                path,
                {"inputs": [*texts]},
                refusal=lambda answer, body: refusal(answer, body, model),
                limit=BODY_MAX,
            )
        finally:
            await beside.close()
        return vectors_of(json_value(raw), len(texts), answer)

    async def generate(self, model: str, prompt: str, *, timeout: float = 120.0) -> Generated:
        """Return a short answer to ``prompt``: proof that the model runs.

        Raises:
            ModelNotFound: the server does not have it.
            ModelError: see the module ``model_server``.
        """
        request = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": ANSWER_TOKENS}
        body, answer = await self._ask(
            "POST", "/chat/completions", request, model=model, timeout=timeout, limit=BODY_MAX
        )
        choices = body.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(first, dict) or not isinstance(first.get("message"), dict):
            raise WrongPath(answer)
        return Generated(redact(text(first["message"], "content")), text(first, "finish_reason"))

    async def _ask(
        self,
        method: str,
        path: str,
        request: Mapping[str, Any] | None = None,
        *,
        model: str = "",
        timeout: float | None = None,
        limit: int = LIST_MAX,
    ) -> tuple[Body, Answer]:
        return await self._http.ask(
            method,
            path,
            request,
            refusal=lambda answer, body: refusal(answer, body, model),
            timeout=timeout,
            limit=limit,
        )


def refusal(answer: Answer, body: Body | None, model: str) -> ModelError:
    """Make an error of a refusal: first the path, then the key, then the model, then the rest."""
    said, code = _words(body or {})
    names_model = code == "model_not_found" or bool(NO_MODEL.search(said)) or (bool(model) and model in said)
    if answer.status == 410:
        return EndpointGone(answer)
    if answer.status == 401:
        return KeyRefused(answer)
    if answer.status < 500 and NOT_SERVED.search(f"{said} {code}"):
        return NotServed(model, answer)
    if answer.status in (400, 404, 422) and names_model and (answer.status != 400 or NO_MODEL.search(said)):
        return ModelNotFound(model, answer)
    if answer.status in (404, 405):
        return WrongPath(answer)
    if answer.status == 403 and not answer.is_html:
        return NotAllowed(answer)
    return ModelServerError(str(answer), answer)


def _words(body: Body) -> tuple[str, str]:
    """Return message and code of an error, wherever in the body it stands."""
    error = body.get("error")
    inner = error if isinstance(error, dict) else body
    said = inner.get("message") or (error if isinstance(error, str) else "")
    return (said if isinstance(said, str) else ""), str(inner.get("code") or inner.get("type") or "")


def offered(entry: Body) -> InstalledModel:
    """Return one entry of a list; what is odd in it is left out."""
    name, listed = text(entry, "id"), entry.get("providers")
    served = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    providers = tuple(
        Served(text(each, "provider"), text(each, "status") == "live", number(each.get("context_length")))
        for each in served[:100]
    )
    longest = max((one.context_length for one in providers if one.context_length), default=None)
    stated = number(entry.get("max_model_len")) or number(entry.get("context_length")) or longest
    return InstalledModel(name, capabilities=guessed_capabilities(name, ""), providers=providers, context_length=stated)
