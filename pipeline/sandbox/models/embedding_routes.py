"""``POST /api/embed`` and the old ``POST /api/embeddings``. They differ: only the first normalises its vectors."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doctor.pipeline.sandbox.models.catalog import Model
from doctor.pipeline.sandbox.models.embedding import embed, raw_embedding, shortened
from doctor.pipeline.sandbox.models.generation import CHARACTERS_PER_TOKEN, count_tokens
from doctor.pipeline.sandbox.models.protocol import (
    EmbedBody,
    EmbeddingsBody,
    RefusalError,
    model_not_found,
    model_not_found_try_pulling,
    read_body,
)
from doctor.pipeline.sandbox.models.server import Server


class EmbeddingRoutes:
    """Handlers over one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/embed", self.embed, methods=["POST"]),
            Route("/api/embeddings", self.embeddings, methods=["POST"]),
        ]

    async def embed(self, request: Request) -> Response:
        """Embed one text or several; ``""`` gives no vector at all, ``[""]`` gives one."""
        started = time.perf_counter_ns()
        body = await read_body(request, EmbedBody)
        texts = input_texts(body.input)
        model = self._server.find(body.model)
        if model is None:
            raise model_not_found(body.model)
        load_duration = await self._server.load(model, body.options.num_ctx, body.keep_alive, request.is_disconnected)
        vectors = [vector_of(model, text, body.truncate, body.dimensions) for text in texts]
        return JSONResponse(
            {
                "model": body.model,
                "embeddings": vectors,
                "total_duration": time.perf_counter_ns() - started,
                "load_duration": load_duration,
                "prompt_eval_count": sum(map(count_tokens, texts)),
            }
        )

    async def embeddings(self, request: Request) -> Response:
        """Embed one prompt, without normalising; an empty prompt gives an empty vector."""
        body = await read_body(request, EmbeddingsBody)
        model = self._server.find(body.model)
        if model is None:
            raise model_not_found_try_pulling(body.model)
        await self._server.load(model, None, body.keep_alive, request.is_disconnected)
        vector = raw_embedding(body.prompt, model.dimensions, model.name) if body.prompt else []
        return JSONResponse({"embedding": vector})


def input_texts(value: object) -> list[str]:
    """Return the texts of ``input``: nothing and ``""`` are no text.

    Raises:
        RefusalError: 400, it is neither text nor a list of texts.
    """
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise RefusalError(400, "invalid input type")


def vector_of(model: Model, text: str, truncate: bool, dimensions: int | None) -> list[float]:
    """Embed one text; what is longer than the model's context is cut off silently, as Ollama does by default.

    Raises:
        RefusalError: 400, the text is too long and may not be cut.
    """
    longest = model.context * CHARACTERS_PER_TOKEN
    if len(text) > longest and not truncate:
        raise RefusalError(400, "the input length exceeds the context length")
    return shortened(embed(text[:longest], model.dimensions, model.name), dimensions)
