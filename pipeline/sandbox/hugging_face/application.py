"""The Hub and the router as one ASGI application, at its root or mounted below another one."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from doctor.pipeline.sandbox.hugging_face.hub_routes import HubRoutes
from doctor.pipeline.sandbox.hugging_face.refusals import HubRefusalError
from doctor.pipeline.sandbox.hugging_face.refusals import refuse as refuse_as_hub
from doctor.pipeline.sandbox.hugging_face.router_routes import RouterRefusalError, RouterRoutes
from doctor.pipeline.sandbox.hugging_face.router_routes import refuse as refuse_as_router
from doctor.pipeline.sandbox.hugging_face.world import World, default_world


def build_application(world: World | None = None) -> Starlette:
    """Build a stand-in for this world, by default the one of the incident."""
    known = default_world() if world is None else world
    application = Starlette(
        routes=[*RouterRoutes(known).routes(), *HubRoutes(known).routes()],
        exception_handlers={
            HubRefusalError: refuse_as_hub,
            RouterRefusalError: refuse_as_router,
            HTTPException: _no_route,
        },
    )
    application.router.redirect_slashes = False
    return application


async def _no_route(_: Request, error: Exception) -> Response:
    """Answer an unknown path with a text that names no model."""
    assert isinstance(error, HTTPException)
    return PlainTextResponse("Not Found" if error.status_code == 404 else str(error.detail), error.status_code)
