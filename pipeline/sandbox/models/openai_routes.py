"""The OpenAI-compatible routes under ``/v1``. Errors have OpenAI's shape; blank texts are embedded here.

Source: Ollama, ``openai/openai.go`` and ``middleware/openai.go``.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from doctor.pipeline.sandbox.models.behaviour import cut_json
from doctor.pipeline.sandbox.models.catalog import Model
from doctor.pipeline.sandbox.models.embedding_routes import vector_of
from doctor.pipeline.sandbox.models.generation import Answer, generate
from doctor.pipeline.sandbox.models.names import parse_name
from doctor.pipeline.sandbox.models.protocol import Body, RefusalError, model_not_found, not_capable, read_body
from doctor.pipeline.sandbox.models.server import Server

PREFIX = "/v1/"
PIECE = 24

ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


class _ChatMessage(Body):
    role: str = "user"
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The content as text; of parts, those that are text."""
        if isinstance(self.content, list):
            return "\n".join(str(part["text"]) for part in self.content if "text" in part)
        return self.content or ""


class _CompletionBody(Body):
    model: str = ""
    messages: list[_ChatMessage] = Field(default_factory=list)
    stream: bool = False
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    response_format: dict[str, Any] | None = None


class _EmbeddingBody(Body):
    model: str = ""
    input: str | list[str] | None = None
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] = "float"


def openai_error(status: int, message: str) -> Response:
    """Build an error in OpenAI's shape."""
    error = {"message": message, "type": ERROR_TYPES.get(status, "api_error"), "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=status)


class OpenAIRoutes:
    """Handlers over one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{model:path}", self.model, methods=["GET"]),
            Route("/v1/chat/completions", self.complete, methods=["POST"]),
            Route("/v1/embeddings", self.embed, methods=["POST"]),
        ]

    async def models(self, _: Request) -> Response:
        """``GET /v1/models``; a server without models says ``null`` (an empty list in Go)."""
        found = [self._described(model) for model, _ in self._server.catalog]
        return JSONResponse({"object": "list", "data": found or None})

    async def model(self, request: Request) -> Response:
        """``GET /v1/models/{model}``."""
        return JSONResponse(self._described(self._find(request.path_params["model"])))

    async def complete(self, request: Request) -> Response:
        """``POST /v1/chat/completions``, whole or as server-sent events."""
        body = await read_body(request, _CompletionBody)
        if not body.messages:
            raise RefusalError(400, "[] is too short - 'messages'")
        model = self._find(body.model)
        if "completion" not in model.capabilities:
            raise not_capable(body.model, "chat")
        await self._server.load(model, None, None, request.is_disconnected)
        prompt = "\n".join(message.text for message in body.messages)
        limit = body.max_completion_tokens or body.max_tokens
        answer = generate(prompt, schema_of(body.response_format), limit)
        if request.scope.get("state", {}).get("cut_content"):
            answer = Answer(cut_json(answer.text), answer.done_reason, answer.prompt_tokens, answer.tokens)
        head = {"id": "chatcmpl-stand-in", "created": 0, "model": body.model, "system_fingerprint": "fp_stand_in"}
        if body.stream:
            return StreamingResponse(_events(head, answer), media_type="text/event-stream")
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": answer.text},
            "finish_reason": answer.done_reason,
        }
        usage = _usage(answer.prompt_tokens, answer.tokens)
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    async def embed(self, request: Request) -> Response:
        """``POST /v1/embeddings``: unlike ``/api/embed`` it embeds ``""`` as a text."""
        body = await read_body(request, _EmbeddingBody)
        if body.input is None or body.input == []:
            raise RefusalError(400, "invalid input")
        texts = [body.input] if isinstance(body.input, str) else body.input
        model = self._find(body.model)
        await self._server.load(model, None, None, request.is_disconnected)
        vectors = [vector_of(model, text, truncate=True, dimensions=body.dimensions) for text in texts]
        data = [
            {
                "object": "embedding",
                "embedding": _base64(vector) if body.encoding_format == "base64" else vector,
                "index": index,
            }
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "data": data, "model": body.model, "usage": usage})

    def _find(self, name: str) -> Model:
        model = self._server.find(name)
        if model is None:
            raise model_not_found(name)
        return model

    def _described(self, model: Model) -> dict[str, Any]:
        return {
            "id": model.name,
            "object": "model",
            "created": int(self._server.catalog.arrived(model).timestamp()),
            "owned_by": parse_name(model.name).namespace,
        }


def schema_of(response_format: dict[str, Any] | None) -> str | dict[str, Any] | None:
    """Return Ollama's ``format`` for OpenAI's ``response_format``."""
    kind = (response_format or {}).get("type")
    if kind == "json_object":
        return "json"
    if kind == "json_schema" and response_format is not None:
        schema = response_format.get("json_schema", {}).get("schema")
        return schema if isinstance(schema, dict) else "json"
    return None


def _usage(prompt_tokens: int, tokens: int) -> dict[str, int]:
    return {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}


def _events(head: dict[str, Any], answer: Answer) -> Iterator[str]:
    pieces = [answer.text[start : start + PIECE] for start in range(0, len(answer.text), PIECE)]
    for text, reason in [*((piece, None) for piece in pieces), ("", answer.done_reason)]:
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}
        yield f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"
    yield "data: [DONE]\n\n"


def _base64(vector: Sequence[float]) -> str:
    """Pack as 4-byte little-endian floats, as OpenAI does."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
