"""The stand-in as an ASGI application, at its root or mounted below another one; its paths begin with ``/v1``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doctor.pipeline.sandbox.models.embedding import embed, shortened
from doctor.pipeline.sandbox.models.generation import count_tokens, generate
from doctor.pipeline.sandbox.models.openai_routes import schema_of

Flavour = Literal["openai", "vllm"]

KEY = "sk-standin0000000000000000000000000001"


@dataclass(frozen=True, slots=True)
class Offered:
    """One model: ``dimensions`` when it embeds, ``context`` in tokens."""

    name: str
    context: int = 8_192
    dimensions: int = 0


OPENAI_MODELS = (
    Offered("gpt-4o-mini", 128_000),
    Offered("gpt-4.1", 1_000_000),
    Offered("text-embedding-3-small", 8_192, 1536),
)

#: ``--served-model-name``: not the name under which the weights were loaded.
VLLM_MODELS = (Offered("qwen2.5-7b", 8_192),)


class RefusalError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, kind: str, code: str | None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param


class OpenAIRoutes:
    """Handlers for one flavour. With a ``key`` every request must carry it."""

    def __init__(self, flavour: Flavour, models: Sequence[Offered], key: str | None) -> None:
        self.flavour = flavour
        self._models = {model.name: model for model in models}
        self._key = key

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/models", self.list, methods=["GET"]),
            Route("/v1/models/{model:path}", self.describe, methods=["GET"]),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/embeddings", self.embed, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        """``GET /v1/models``."""
        self._require_key(request)
        return JSONResponse({"object": "list", "data": [self._described(each) for each in self._models.values()]})

    async def describe(self, request: Request) -> Response:
        """``GET /v1/models/{id}``."""
        self._require_key(request)
        return JSONResponse(self._described(self._find(request.path_params["model"])))

    async def chat(self, request: Request) -> Response:
        """``POST /v1/chat/completions``."""
        self._require_key(request)
        body = await _body(request)
        model = self._find(str(body.get("model", "")))
        if model.dimensions:
            raise RefusalError(404, "This is not a chat model", "invalid_request_error", None, "model")
        prompt = "\n".join(str(each.get("content") or "") for each in body.get("messages", []))
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        needed = count_tokens(prompt) + (limit or 0)
        if needed > model.context:
            raise RefusalError(
                400,
                f"This model's maximum context length is {model.context} tokens. However, you requested {needed} "
                "tokens. Please reduce the length of the messages or completion.",
                "invalid_request_error",
                "context_length_exceeded",
                "messages",
            )
        answer = generate(prompt, schema_of(body.get("response_format")), limit)
        message = {"role": "assistant", "content": answer.text}
        choice = {"index": 0, "message": message, "finish_reason": answer.done_reason}
        return JSONResponse(
            {"id": "stand-in", "object": "chat.completion", "created": 0, "model": model.name, "choices": [choice]}
        )

    async def embed(self, request: Request) -> Response:
        """``POST /v1/embeddings``."""
        self._require_key(request)
        body = await _body(request)
        model = self._find(str(body.get("model", "")))
        if not model.dimensions:
            raise RefusalError(400, "The model does not support Embeddings API", "BadRequestError", None)
        texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input") or []
        vectors = [shortened(embed(text, model.dimensions, model.name), body.get("dimensions")) for text in texts]
        data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
        return JSONResponse({"object": "list", "model": model.name, "data": data})

    def _find(self, name: str) -> Offered:
        if name in self._models:
            return self._models[name]
        if self.flavour == "vllm":
            raise RefusalError(404, f"The model `{name}` does not exist.", "NotFoundError", "404", "model")
        raise RefusalError(
            404,
            f"The model `{name}` does not exist or you do not have access to it.",
            "invalid_request_error",
            "model_not_found",
        )

    def _require_key(self, request: Request) -> None:
        if self._key is None:
            return
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not sent:
            raise RefusalError(401, "You didn't provide an API key.", "invalid_request_error", None)
        if sent != self._key:
            shown = f"{sent[:3]}***{sent[-4:]}"
            raise RefusalError(401, f"Incorrect API key provided: {shown}.", "invalid_request_error", "invalid_api_key")

    def _described(self, model: Offered) -> dict[str, Any]:
        described: dict[str, Any] = {"id": model.name, "object": "model", "created": 0, "owned_by": "stand-in"}
        return {**described, "max_model_len": model.context} if self.flavour == "vllm" else described


def build_application(
    flavour: Flavour = "openai", models: Sequence[Offered] | None = None, key: str | None = None
) -> Starlette:
    """Build a stand-in that refuses in the words of ``flavour``."""
    offered = (OPENAI_MODELS if flavour == "openai" else VLLM_MODELS) if models is None else models

    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusalError)
        body = {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}
        if flavour == "vllm":
            return JSONResponse({"object": "error", **body, "code": error.status}, status_code=error.status)
        return JSONResponse({"error": body}, status_code=error.status)

    async def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if flavour == "vllm" or error.status_code != 404:
            return JSONResponse({"detail": str(error.detail)}, status_code=error.status_code)
        text = f"Invalid URL ({request.method} {request.url.path})"
        body = {"message": text, "type": "invalid_request_error", "param": None, "code": None}
        return JSONResponse({"error": body}, status_code=404)

    application = Starlette(
        routes=OpenAIRoutes(flavour, offered, key).routes(),
        exception_handlers={RefusalError: refuse, HTTPException: no_route},
    )
    application.router.redirect_slashes = False
    return application


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except json.JSONDecodeError:
        raise RefusalError(
            400, "We could not parse the JSON body of your request.", "invalid_request_error", None
        ) from None
    if not isinstance(body, dict):
        raise RefusalError(400, "The body must be an object.", "invalid_request_error", None)
    return body
