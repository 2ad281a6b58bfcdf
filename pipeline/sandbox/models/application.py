"""The stand-in as an ASGI application: all routes, and errors in the words of the original."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from doctor.pipeline.sandbox.hugging_face.application import build_application as build_hugging_face
from doctor.pipeline.sandbox.models.behaviour import CONTROL_PREFIX, Misbehave
from doctor.pipeline.sandbox.models.catalog import DEFAULT_MODELS, Catalog
from doctor.pipeline.sandbox.models.embedding_routes import EmbeddingRoutes
from doctor.pipeline.sandbox.models.generation_routes import GenerationRoutes
from doctor.pipeline.sandbox.models.host_guard import HostGuard
from doctor.pipeline.sandbox.models.inventory_routes import InventoryRoutes
from doctor.pipeline.sandbox.models.openai_routes import PREFIX, OpenAIRoutes, openai_error
from doctor.pipeline.sandbox.models.protocol import RefusalError
from doctor.pipeline.sandbox.models.server import Server
from doctor.pipeline.sandbox.openai_compatible.application import KEY, Offered
from doctor.pipeline.sandbox.openai_compatible.application import build_application as build_openai

HUGGING_FACE = "/hugging-face"
"""Below this path one process stands in for the Hub (``HF_ENDPOINT``) and, under ``/v1``, for its router."""

OPENAI, VLLM = "/openai", "/vllm"
"""Below these for servers that speak OpenAI's protocol, with and without a key; their base URL ends in ``/v1``."""

GATEWAY = "/gateway"
"""Below this for a gateway without a key, which has models of several vendors."""

GATEWAY_MODELS = (Offered("openai/gpt-oss-120b", 131_072), Offered("Qwen/Qwen2.5-7B-Instruct", 32_768))


def build_application(model_names: Iterable[str] = DEFAULT_MODELS) -> Starlette:
    """Build a stand-in that has these models. It stands in for servers of other kinds too, below paths of their own.

    Raises:
        UnknownModelError: the library has no model of such a name.
    """
    server = Server(Catalog(model_names))
    behaviour = server.behaviour
    control = [
        Route(f"{CONTROL_PREFIX}behaviour", behaviour.control, methods=["GET", "PUT", "DELETE"]),
        Route(f"{CONTROL_PREFIX}requests", behaviour.show_requests, methods=["GET"]),
    ]
    groups = (InventoryRoutes(server), GenerationRoutes(server), EmbeddingRoutes(server), OpenAIRoutes(server))
    application = Starlette(
        routes=[*(route for group in groups for route in group.routes()), *control, *_others()],
        middleware=[Middleware(HostGuard), Middleware(Misbehave, behaviour=behaviour)],
        exception_handlers={RefusalError: _refuse, HTTPException: _no_route},
    )
    # A slash too many is another path; what Gin would make of it is a redirect that no client relies on.
    application.router.redirect_slashes = False
    return application


def _others() -> list[Mount]:
    return [
        Mount(HUGGING_FACE, build_hugging_face()),
        Mount(OPENAI, build_openai("openai", key=KEY)),
        Mount(VLLM, build_openai("vllm")),
        Mount(GATEWAY, build_openai("vllm", GATEWAY_MODELS)),
    ]


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer a refusal as JSON, in the shape of the API that was asked."""
    assert isinstance(error, RefusalError)
    if request.url.path.startswith(PREFIX):
        return openai_error(error.status, error.message)
    return JSONResponse({"error": error.message}, status_code=error.status)


async def _no_route(_: Request, error: Exception) -> Response:
    """Answer an unknown path or a wrong method as Gin does: in plain text, unlike a missing model."""
    assert isinstance(error, HTTPException)
    texts = {404: "404 page not found", 405: "405 method not allowed"}
    return PlainTextResponse(texts.get(error.status_code, str(error.detail)), status_code=error.status_code)
