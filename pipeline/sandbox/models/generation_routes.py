"""``POST /api/chat`` and ``POST /api/generate``, whole or as a stream of JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from doctor.pipeline.sandbox.models.behaviour import cut_json
from doctor.pipeline.sandbox.models.catalog import Model
from doctor.pipeline.sandbox.models.generation import Answer, generate
from doctor.pipeline.sandbox.models.protocol import (
    NDJSON_TYPE,
    ChatBody,
    GenerateBody,
    GenerationBody,
    RefusalError,
    model_not_found,
    not_capable,
    read_body,
)
from doctor.pipeline.sandbox.models.residency import DEFAULT_CONTEXT
from doctor.pipeline.sandbox.models.server import Server, timestamp

# What a piece of text is wrapped in: a message for chat, `response` for generate.
Piece = Callable[[str], dict[str, Any]]

#: A streamed answer comes in pieces of this many characters.
PIECE = 24


class GenerationRoutes:
    """Handlers over one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/chat", self.chat, methods=["POST"]),
            Route("/api/generate", self.generate, methods=["POST"]),
        ]

    async def chat(self, request: Request) -> Response:
        """Answer the last message; without messages the model is only loaded."""
        body = await read_body(request, ChatBody)
        model = self._capable(body, "chat")
        prompt = "\n".join(message.content for message in body.messages)

        def piece(text: str) -> dict[str, Any]:
            message = {"role": "assistant", "content": text}
            if body.think and text:
                message["thinking"] = "A stand-in does not think."
            return {"message": message}

        return await self._answer(request, body, model, prompt if body.messages else None, piece)

    async def generate(self, request: Request) -> Response:
        """Continue a prompt; without one the model is only loaded."""
        body = await read_body(request, GenerateBody)
        model = self._capable(body, "generate")
        prompt = f"{body.system}\n{body.prompt}" if body.prompt else None
        return await self._answer(request, body, model, prompt, lambda text: {"response": text})

    def _capable(self, body: GenerationBody, what: str) -> Model:
        """Return the model that was asked for.

        Raises:
            RefusalError: no name, no such model, or it cannot do this.
        """
        if not body.model:
            raise RefusalError(400, "model is required")
        model = self._server.find(body.model)
        if model is None:
            raise model_not_found(body.model)
        if "completion" not in model.capabilities:
            raise not_capable(body.model, what)
        if body.think and "thinking" not in model.capabilities:
            raise not_capable(body.model, "thinking")
        return model

    async def _answer(
        self, request: Request, body: GenerationBody, model: Model, prompt: str | None, piece: Piece
    ) -> Response:
        started = time.perf_counter_ns()
        load_duration = await self._server.load(model, body.options.num_ctx, body.keep_alive, request.is_disconnected)
        head = {"model": body.model, "created_at": timestamp()}
        if prompt is None:
            unloads = body.keep_alive in {0, "0"}
            reason = "unload" if unloads else "load"
            return JSONResponse({**head, **piece(""), "done": True, "done_reason": reason})
        answer = generate(prompt, body.format or None, body.options.num_predict)
        text = cut_json(answer.text) if request.scope.get("state", {}).get("cut_content") else answer.text
        end = {
            "done": True,
            "done_reason": answer.done_reason,
            "total_duration": time.perf_counter_ns() - started,
            "load_duration": load_duration,
            **_counts(answer, body),
        }
        if not body.stream:
            return JSONResponse({**head, **piece(text), **end})
        lines = _lines(head, text, piece, end)
        return StreamingResponse(
            (json.dumps(line, ensure_ascii=False) + "\n" for line in lines), media_type=NDJSON_TYPE
        )


def _counts(answer: Answer, body: GenerationBody) -> dict[str, int]:
    """Count tokens as the real server does: of a prompt that is longer than the context only that much was read."""
    context = body.options.num_ctx or DEFAULT_CONTEXT
    return {
        "prompt_eval_count": min(answer.prompt_tokens, context),
        "prompt_eval_duration": 1_000 * answer.prompt_tokens,
        "eval_count": answer.tokens,
        "eval_duration": 1_000 * answer.tokens,
    }


def _lines(head: dict[str, Any], text: str, piece: Piece, end: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(text), PIECE):
        yield {**head, **piece(text[start : start + PIECE]), "done": False}
    yield {**head, **piece(""), **end}
