"""What every kind of model server can be asked, and what can go wrong: ``ollama.py``, ``openai_compatible.py`` and
``hugging_face.py`` are the kinds.

Errors:
    ModelError
    ├── ModelServerUnreachable (also ResourceUnreachable)   nobody answered, or in another protocol
    ├── WrongPath           the server answers, but does not know the path: the base URL is wrong, not the model
    │   └── EndpointGone    the server says that this address is no longer served
    ├── ModelNotFound       the server names the model as missing
    ├── KeyRefused          the server does not take the key, or wants one
    ├── NotAllowed          the key is known, but not allowed to do this: gated, private, without the permission
    ├── NotServed           the model exists, but nobody runs it for this account
    └── ModelServerError    any other refusal; carries status and body
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeAlias

from doctor.model import Endpoint
from doctor.redaction import bounded, redact
from doctor.resources.unreachable import ResourceUnreachable

BODY_LIMIT = 500
"""Characters kept of an answer's body."""

Vectors: TypeAlias = list[list[float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came, redacted and cut: *which* 404 it is decides the diagnosis."""

    url: str
    status: int
    content_type: str
    body: str
    retry_after: float | None = None
    """Seconds for which the server asks to be left alone."""

    code: str = ""
    """The header ``X-Error-Code`` by which Hugging Face says what it refuses."""

    said: str = ""
    """The header ``X-Error-Message``, in words."""

    @classmethod
    def of(
        cls,
        url: str,
        status: int,
        content_type: str,
        body: bytes,
        retry_after: str = "",
        *,
        code: str = "",
        said: str = "",
    ) -> Answer:
        """Keep what evidence needs; ``retry_after``, ``code`` and ``said`` are values of headers."""
        text = bounded(redact(body[: BODY_LIMIT * 8].decode("utf-8", "replace")), BODY_LIMIT)
        wait = seconds_to_wait(retry_after)
        kept = (redact(code)[:80], bounded(redact(said), BODY_LIMIT))
        return cls(redact(url), status, redact(content_type)[:80], text, wait, *kept)

    @property
    def is_html(self) -> bool:
        """Whether it is a page for people, as proxies and portals give."""
        return "html" in self.content_type.lower() or self.body.lstrip()[:15].lower().startswith(("<!doc", "<html"))

    def __str__(self) -> str:
        body = self.said or self.body or "(empty)"
        return f"{self.url} answered {self.status} {self.content_type or 'without a type'}: {body}"


def seconds_to_wait(value: str, now: datetime | None = None) -> float | None:
    """Read a ``Retry-After``: seconds, or a time after ``now`` (RFC 9110); None when it is neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds()) if moment.tzinfo else None


class ModelError(Exception):
    """A model server did not do what was asked."""


class ModelServerUnreachable(ModelError, ResourceUnreachable):  # noqa: N818 - as its base
    """No answer from a model server; ``reason`` says why."""

    resource = "models"
    title = "the model server"


class _AnsweredError(ModelError):
    """The server answered; ``answer`` is what it said."""

    def __init__(self, message: str, answer: Answer) -> None:
        self.answer = answer
        super().__init__(message)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status

    @property
    def body(self) -> str:
        """The body, redacted and cut."""
        return self.answer.body


class WrongPath(_AnsweredError):  # noqa: N818
    """The server does not know the path, or speaks another protocol: correct the base URL, not the model."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer}; the base URL is wrong, not the model", answer)


class EndpointGone(WrongPath):
    """The server says that what was asked is no longer served there."""


class ModelNotFound(_AnsweredError):  # noqa: N818
    """The server has no model of this name: pull it, or use one that it has."""

    def __init__(self, model: str, answer: Answer) -> None:
        self.model = redact(model)
        super().__init__(f"the server has no model {self.model!r} ({answer.status}: {answer.body})", answer)


class KeyRefused(_AnsweredError):  # noqa: N818
    """The key is not taken, or there is none and one is needed: correct the variable that holds it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer}; the key is not accepted", answer)


class NotAllowed(_AnsweredError):  # noqa: N818
    """The key is known and may not do this: ask for access, or give the token the permission."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer}; the key has no right to it", answer)


class NotServed(_AnsweredError):  # noqa: N818
    """The model exists and nobody runs it for this account: take another provider or model."""

    def __init__(self, model: str, answer: Answer) -> None:
        self.model = redact(model)
        super().__init__(f"no provider runs {self.model!r} for this account ({answer.status}: {answer.body})", answer)


class ModelServerError(_AnsweredError):
    """The server refused for another reason; the message holds its words."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(bounded(redact(message), BODY_LIMIT), answer)


@dataclass(frozen=True, slots=True)
class Served:
    """One provider of a model behind a router: ``live`` when it answers now."""

    provider: str
    live: bool
    context_length: int | None = None


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One model that a server has. ``remote`` models are only relayed to somebody else's machine.

    ``capabilities`` are named as Ollama does: completion, embedding, vision, tools, thinking.
    """

    name: str
    family: str = ""
    parameter_size: str = ""
    quantization: str = ""
    capabilities: frozenset[str] = frozenset()
    remote: bool = False
    providers: tuple[Served, ...] = ()
    """Who runs it, where the server is a router to others."""

    context_length: int | None = None
    """Tokens, where the list says so."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a server says of one model without running it. Lengths are None when it does not say."""

    name: str
    capabilities: frozenset[str]
    embedding_length: int | None = None
    context_length: int | None = None
    family: str = ""
    parameter_size: str = ""
    quantization: str = ""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """One model in a server's memory. ``context_length`` is in tokens, None where the server does not say."""

    name: str
    context_length: int | None = None
    size: int = 0
    size_in_gpu: int = 0


@dataclass(frozen=True, slots=True)
class Generated:
    """What a model answered. ``finish`` is ``stop``, or ``length`` when it was cut; ``load_seconds`` is the part of
    the time in which the model was loaded, None where the server does not say."""

    text: str
    finish: str = ""
    load_seconds: float | None = None


class ModelServer(Protocol):
    """One model server. Every method raises the errors of this module; times are in seconds."""

    kind: str
    """``ollama``, ``openai`` or ``huggingface``."""

    url: str
    """The base URL."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it is and where the address came from."""

    @property
    def sends_key(self) -> bool:
        """Whether it is asked with a key: without one a refusal says nothing of the application's."""

    async def version(self) -> str:
        """Return the server's version."""

    async def list(self) -> tuple[InstalledModel, ...]:
        """Return the models that the server has, by name."""

    async def describe(self, model: str) -> ModelDescription:
        """Return what the server says of one model."""

    async def embed(self, model: str, texts: Sequence[str], *, timeout: float = 60.0) -> Vectors:
        """Return one vector per text."""

    async def generate(self, model: str, prompt: str, *, timeout: float = 120.0) -> Generated:
        """Return a short text, and how it ended."""

    async def close(self) -> None:
        """Close the connections."""
