"""Hugging Face: the Hub, which knows every model and who may read it, and the router, which runs some of them.

The Hub says what it refuses in the header ``X-Error-Code``. To somebody without a token a private repository, a missing
one and a typing error look the same: 401. Whether the token is good and whether a public repository resolves decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from doctor.model import Endpoint, Secret
from doctor.redaction import redact
from doctor.resources.model_answers import text
from doctor.resources.model_http import Body, ModelHttp, Refusal
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
    Served,
    Vectors,
    WrongPath,
)
from doctor.resources.openai_compatible import OpenAIServer, base_url

HUB = "https://huggingface.co"
ROUTER = "https://router.huggingface.co/v1"

CONTROL_REPOSITORY = "openai-community/gpt2"
"""A public model without a licence to accept: where even this is not found, it is not the model."""

POLICIES = ("fastest", "cheapest", "preferred")
"""Suffixes that name no provider but a way to choose one."""

BAD_TOKEN = re.compile(r"invalid credentials in authorization header|invalid user token", re.IGNORECASE)
"""What the Hub says of a token that is nobody's. ``Invalid username or password`` it says of what is missing, too."""

_EXPANDED = "&".join(
    f"expand[]={name}" for name in ("inferenceProviderMapping", "inference", "gated", "private", "pipeline_tag")
)
_PART = r"[\w-][\w.-]{0,95}"
_REPOSITORY = re.compile(rf"(?:{_PART}/)?{_PART}")


class Access(StrEnum):
    """Whether the files of a model may be read."""

    OPEN = "open"
    GATED = "gated"
    """Its licence has not been accepted by this account."""
    DISABLED = "disabled"
    HIDDEN = "hidden"
    """Not there, or private: without a token nobody can tell."""
    ABSENT = "absent"
    """The account may see a control repository, and this one is not there."""
    MALFORMED = "malformed"
    """No name of a repository, so that the Hub's client refuses it before it asks."""


@dataclass(frozen=True, slots=True)
class HubModel:
    """What the Hub says of a model. ``served`` are the providers that it knows to run it, and whether they do."""

    name: str
    gated: bool = False
    private: bool = False
    task: str = ""
    served: tuple[Served, ...] = ()


class Hub:
    """The Hub's API at ``url`` (``HF_ENDPOINT``). ``timeout`` is in seconds, for each question."""

    def __init__(self, url: str = HUB, *, origin: str, token: Secret | None = None, timeout: float = 2.0) -> None:
        invalid = ""
        try:
            self.url = base_url(url)
        except ValueError as error:
            self.url, invalid = "(invalid address)", str(error)
        self.has_token = bool(token)
        self._http = ModelHttp(self.url, kind="hub", origin=origin, timeout=timeout, key=token, invalid=invalid)

    @property
    def endpoint(self) -> Endpoint:
        """The address and where it came from."""
        return self._http.endpoint

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def whoami(self) -> str:
        """Return the account of the token.

        Raises:
            KeyRefused: the token is not good, or there is none.
            ModelError: see the module ``model_server``.
        """
        body, answer = await self._ask("/api/whoami-v2", "")
        if not isinstance(body.get("name"), str):
            raise WrongPath(answer)
        return text(body, "name")

    async def look(self, model: str) -> HubModel:
        """Return what the Hub says of a model.

        Raises:
            ModelNotFound: it is not there, or private and the token has no right to it.
            KeyRefused: the token is not good.
            ModelError: see the module ``model_server``.
        """
        body, answer = await self._ask(f"/api/models/{quote(model)}?{_EXPANDED}", model)
        if not isinstance(body.get("id"), str):
            raise WrongPath(answer)
        return hub_model(body)

    async def access(self, model: str) -> Access:
        """Tell whether the files of a model may be read with this token.

        Raises:
            KeyRefused: the token itself is not good.
            ModelError: see the module ``model_server``.
        """
        if not is_repository(model):
            return Access.MALFORMED
        try:
            await self._http.fetch("GET", f"/api/models/{quote(model)}/auth-check", refusal=self._refusal(model))
        except NotAllowed as error:
            return Access.DISABLED if "disabled" in error.answer.said.lower() else Access.GATED
        except ModelNotFound:
            if not self.has_token:
                return Access.HIDDEN
            await self.whoami()
            await self._must_know_control()
            return Access.ABSENT
        return Access.OPEN

    async def _must_know_control(self) -> None:
        try:
            await self.look(CONTROL_REPOSITORY)
        except ModelNotFound as error:
            said = (
                f"{self.url} does not even know {CONTROL_REPOSITORY}: it is the endpoint or the network, not the model"
            )
            raise ModelServerError(said, error.answer) from None

    async def _ask(self, path: str, model: str) -> tuple[Body, Answer]:
        return await self._http.ask("GET", path, refusal=self._refusal(model))

    def _refusal(self, model: str) -> Refusal:
        return lambda answer, _: refusal(answer, model)


class HuggingFace:
    """The router as a model server, beside the Hub that knows more of each model."""

    kind = "huggingface"

    def __init__(self, router: OpenAIServer, hub: Hub) -> None:
        self.router = router
        self.hub = hub
        self.url = router.url

    @property
    def endpoint(self) -> Endpoint:
        """The router's base URL and where it came from."""
        return self.router.endpoint

    @property
    def sends_key(self) -> bool:
        """Whether the router is asked with a token."""
        return self.router.sends_key

    @property
    def is_loopback(self) -> bool:
        """Whether the router is this machine."""
        return self.router.is_loopback

    async def close(self) -> None:
        """Close the connections of both."""
        await self.router.close()
        await self.hub.close()

    async def version(self) -> str:
        """Make sure that the router answers; it has no version."""
        return await self.router.version()

    async def list(self) -> tuple[InstalledModel, ...]:
        """Return the chat models that the router can send a request to, each with its providers."""
        return await self.router.list()

    async def describe(self, model: str) -> ModelDescription:
        """Return what the Hub says of a model, whoever runs it. Raises as :meth:`Hub.look` does."""
        name, _ = without_provider(model)
        found = await self.hub.look(name)
        embeds = found.task in ("feature-extraction", "sentence-similarity")
        capabilities = frozenset({"embedding"}) if embeds else guessed_capabilities(name, "")
        return ModelDescription(model, capabilities)

    async def embed(self, model: str, texts: Sequence[str], *, timeout: float = 60.0) -> Vectors:
        """Return one vector per text; the router embeds under a path of its own, not under ``/v1``.

        Raises:
            ModelError: see the module ``model_server``.
        """
        name, _ = without_provider(model)
        path = f"/hf-inference/models/{quote(name)}/pipeline/feature-extraction"
        return await self.router.embed_by_task(path, name, texts, timeout=timeout)

    async def generate(self, model: str, prompt: str, *, timeout: float = 120.0) -> Generated:
        """Return a short answer by whichever provider the name asks for."""
        return await self.router.generate(model, prompt, timeout=timeout)


def without_provider(model: str) -> tuple[str, str]:
    """Return the repository and the provider, or the policy, that a router's name carries behind a colon."""
    name, _, provider = model.partition(":")
    return name, provider


def is_repository(name: str) -> bool:
    """Tell whether the Hub's client takes ``name``; another one it refuses before it asks (``HFValidationError``)."""
    return bool(_REPOSITORY.fullmatch(name)) and ".." not in name and "--" not in name


def refusal(answer: Answer, model: str) -> ModelError:
    """Make an error of a refusal, by the header in which the Hub says why, as its own client does."""
    if answer.code == "GatedRepo" or (answer.status == 403 and "disabled" in answer.said.lower()):
        return NotAllowed(answer)
    if answer.status == 401 and BAD_TOKEN.search(f"{answer.said} {answer.body}"):
        return KeyRefused(answer)
    if answer.code in ("RepoNotFound", "RepositoryNotFound") or (answer.status == 401 and model):
        return ModelNotFound(model, answer)
    if answer.status == 401:
        return KeyRefused(answer)
    if answer.status == 403:
        return NotAllowed(answer)
    if answer.status == 410:
        return EndpointGone(answer)
    if answer.status in (404, 405):
        return WrongPath(answer)
    return ModelServerError(str(answer), answer)


def hub_model(body: Body) -> HubModel:
    """Return what an answer of the Hub says of a model; what is odd in it is left out."""
    return HubModel(
        text(body, "id"),
        gated=body.get("gated") not in (False, None),
        private=body.get("private") is True,
        task=text(body, "pipeline_tag"),
        served=tuple(
            Served(redact(str(name)), entry.get("status") == "live")
            for name, entry in _mapped(body.get("inferenceProviderMapping"))
            if isinstance(entry, dict)
        ),
    )


def _mapped(mapping: object) -> Iterable[tuple[object, object]]:
    """Return the providers of a mapping, which older answers give as an object and newer ones as a list."""
    if isinstance(mapping, dict):
        return mapping.items()
    entries = mapping if isinstance(mapping, list) else []
    return [(each.get("provider", ""), each) for each in entries if isinstance(each, dict)]
