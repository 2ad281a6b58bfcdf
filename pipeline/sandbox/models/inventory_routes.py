"""Routes about the models themselves: version, list, loaded, show, pull, delete."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from doctor.pipeline.sandbox.models.catalog import Model, find_in_library
from doctor.pipeline.sandbox.models.identity import FAMILY, VERSION
from doctor.pipeline.sandbox.models.names import parse_name
from doctor.pipeline.sandbox.models.protocol import NDJSON_TYPE, NamedBody, RefusalError, model_not_found, read_body
from doctor.pipeline.sandbox.models.server import Server, timestamp

#: A pull reports its progress in this many steps, each after a short pause, so that a client can show it.
PULL_STEPS = 8
PULL_STEP_SECONDS = 0.02


class InventoryRoutes:
    """Handlers over one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.root, methods=["GET"]),
            Route("/api/version", self.version, methods=["GET"]),
            Route("/api/tags", self.tags, methods=["GET"]),
            Route("/api/ps", self.loaded, methods=["GET"]),
            Route("/api/show", self.show, methods=["POST"]),
            Route("/api/pull", self.pull, methods=["POST"]),
            Route("/api/delete", self.delete, methods=["DELETE"]),
        ]

    async def root(self, _: Request) -> Response:
        """``GET /``: the sentence by which people tell that the server is up."""
        return PlainTextResponse("Ollama is running")

    async def version(self, _: Request) -> Response:
        """``GET /api/version``."""
        return JSONResponse({"version": VERSION})

    async def tags(self, _: Request) -> Response:
        """``GET /api/tags``: every model, the newest first."""
        models = [
            {**_identity(model), "modified_at": timestamp(arrived), "capabilities": list(model.capabilities)}
            for model, arrived in self._server.catalog
        ]
        return JSONResponse({"models": models})

    async def loaded(self, _: Request) -> Response:
        """``GET /api/ps``: the models in memory; empty means cold, not down."""
        models = [
            {
                **_identity(resident.model),
                "expires_at": timestamp(resident.expires_at),
                "size_vram": resident.model.size,
                "context_length": resident.context,
            }
            for resident in self._server.residents.current()
        ]
        return JSONResponse({"models": models})

    async def show(self, request: Request) -> Response:
        """``POST /api/show``: what a model can do; its dimensions stand under ``<architecture>.embedding_length``."""
        body = await read_body(request, NamedBody)
        if not body.asked:
            raise RefusalError(400, "model is required")
        model = self._server.find(body.asked)
        if model is None:
            raise model_not_found(body.asked)
        return JSONResponse(
            {
                "modelfile": f"# A stand-in, not a model.\nFROM {model.name}\n",
                "parameters": "",
                "template": "{{ .Prompt }}",
                "details": _details(model),
                "model_info": {
                    "general.architecture": model.architecture,
                    "general.basename": FAMILY,
                    f"{model.architecture}.context_length": model.context,
                    f"{model.architecture}.embedding_length": model.dimensions,
                },
                "capabilities": list(model.capabilities),
                "modified_at": timestamp(self._server.catalog.arrived(model)),
            }
        )

    async def pull(self, request: Request) -> Response:
        """``POST /api/pull``: progress line by line; an unknown name is an error inside the stream, with status 200."""
        body = await read_body(request, NamedBody)
        name = parse_name(body.asked)
        if not body.asked or not name.is_valid:
            raise RefusalError(400, "invalid model name")
        lines = self._pull(find_in_library(name))
        if body.stream:
            return StreamingResponse((json.dumps(line) + "\n" async for line in lines), media_type=NDJSON_TYPE)
        last: dict[str, Any] = {}
        async for last in lines:
            if "error" in last:
                raise RefusalError(500, last["error"])
        return JSONResponse(last)

    async def _pull(self, model: Model | None) -> AsyncIterator[dict[str, Any]]:
        yield {"status": "pulling manifest"}
        if model is None:
            yield {"error": "pull model manifest: file does not exist"}
            return
        layer = {"status": f"pulling {model.digest[:12]}", "digest": f"sha256:{model.digest}", "total": model.size}
        yield layer
        for step in range(1, PULL_STEPS + 1):
            await asyncio.sleep(PULL_STEP_SECONDS)
            yield {**layer, "completed": model.size * step // PULL_STEPS}
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        self._server.catalog.add(model)
        yield {"status": "success"}

    async def delete(self, request: Request) -> Response:
        """``DELETE /api/delete``."""
        body = await read_body(request, NamedBody)
        if not body.asked or not parse_name(body.asked).is_valid:
            raise RefusalError(400, f'name "{body.asked}" is invalid')
        model = self._server.find(body.asked)
        if model is None:
            raise model_not_found(body.asked)
        self._server.residents.forget(model)
        self._server.catalog.remove(parse_name(body.asked))
        return Response(status_code=200)


def _details(model: Model) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": FAMILY,
        "families": [FAMILY],
        "parameter_size": model.parameters,
        "quantization_level": model.quantization,
    }


def _identity(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "model": model.name,
        "size": model.size,
        "digest": model.digest,
        "details": _details(model),
    }
