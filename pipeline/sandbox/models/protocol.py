"""The ways in which Ollama refuses, with its statuses and its words (``server/routes.go``), and how bodies are read."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

JSON_TYPE = "application/json; charset=utf-8"
NDJSON_TYPE = "application/x-ndjson"


class RefusalError(Exception):
    """A request that is answered with an error: its HTTP status and the text of ``{"error": …}``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def model_not_found(name: str) -> RefusalError:
    """Build the answer of chat, generate, embed, show and delete for a model that is not there."""
    return RefusalError(404, f"model '{name}' not found")


def model_not_found_try_pulling(name: str) -> RefusalError:
    """Build the same from the old embeddings route, which words it differently."""
    return RefusalError(404, f"model {_quoted(name)} not found, try pulling it first")


def not_capable(name: str, what: str) -> RefusalError:
    """Build the answer for a model that cannot do what is asked (chat, generate, thinking)."""
    return RefusalError(400, f"{_quoted(name)} does not support {what}")


def _quoted(text: str) -> str:
    """Quote as Go's ``%q`` does."""
    return json.dumps(text, ensure_ascii=False)


class Body(BaseModel):
    """A request body; like Go's decoder it ignores what it does not know."""

    model_config = ConfigDict(extra="ignore")


class NamedBody(Body):
    """A body that names a model; older clients call the field ``name``."""

    model: str = ""
    name: str = ""
    stream: bool = True

    @property
    def asked(self) -> str:
        """The name as it was given."""
        return self.model or self.name


class Options(Body):
    """The options that change what the stand-in does."""

    num_ctx: int | None = None
    num_predict: int | None = None


class ChatMessage(Body):
    """One message of a chat."""

    role: str = "user"
    content: str = ""


class GenerationBody(Body):
    """What chat and generate have in common; ``keep_alive`` is a number of seconds or text like ``5m``."""

    model: str = ""
    stream: bool = True
    format: str | dict[str, Any] | None = None
    options: Options = Field(default_factory=Options)
    think: bool | str | None = None
    keep_alive: float | str | None = None


class ChatBody(GenerationBody):
    """``POST /api/chat``."""

    messages: list[ChatMessage] = Field(default_factory=list)


class GenerateBody(GenerationBody):
    """``POST /api/generate``."""

    prompt: str = ""
    system: str = ""


class EmbedBody(Body):
    """``POST /api/embed``; ``input`` is checked by hand because its errors have their own words."""

    model: str = ""
    input: Any = None
    truncate: bool = True
    dimensions: int | None = None
    options: Options = Field(default_factory=Options)
    keep_alive: float | str | None = None


class EmbeddingsBody(Body):
    """``POST /api/embeddings``, the old route."""

    model: str = ""
    prompt: str = ""
    keep_alive: float | str | None = None


BodyType = TypeVar("BodyType", bound=Body)


async def read_body(request: Request, kind: type[BodyType]) -> BodyType:
    """Read a JSON body, whatever its content type says.

    Raises:
        RefusalError: 400, in Ollama's words when the body is missing.
    """
    raw = await request.body()
    if not raw.strip():
        raise RefusalError(400, "missing request body")
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RefusalError(400, f"{place}: {first['msg']}" if place else first["msg"]) from None
