"""The HTTP application: ``python -m uvicorn app.main:app``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from loguru import logger
from nats.errors import Error as NatsError
from psycopg import OperationalError
from psycopg.errors import UndefinedColumn, UndefinedTable
from starlette.routing import Match
from taskiq import SendTaskError

from .broker import broker, connect_broker
from .configuration_rows import ConflictError
from .database import close_pool, open_pool
from .embeddings import NotEmbeddedError
from .errors import describe
from .language_models import ModelError
from .local_model import LocalModel
from .logs import configure_logging
from .routes import (
    agent_configs,
    atoms,
    dead_letters,
    embeddings,
    health,
    knowledge,
    me,
    messages,
    metrics,
    providers,
    semantic_index,
    semantic_search,
    task_executions,
    topics,
    webhook,
)
from .routes.access import token_holders_only
from .routes.problems import problems
from .search import NoVectorError, UnknownRowError
from .settings import get_settings
from .signing_keys import KeysUnavailableError
from .vectors import VectorError, ZeroVectorError


@contextlib.asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Start at once, whatever is down; what needs a service answers 503 until it is there."""
    configure_logging()
    await open_pool()
    settings = get_settings()
    local_model = LocalModel(settings.local_model) if settings.local_model else None
    application.state.local_model = local_model
    if local_model is not None:
        local_model.start(settings.local_model_retry_seconds)
    connecting = asyncio.create_task(connect_broker())
    # Usually this takes milliseconds, and the first request finds the queue ready.
    await asyncio.wait({connecting}, timeout=3)
    yield
    if local_model is not None:
        local_model.stop()
    connecting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await connecting
    try:
        await broker.shutdown()
    except (NatsError, OSError) as error:  # it cannot say goodbye to a server that is gone
        logger.warning("NATS connection: {}", describe(error))
    finally:
        await close_pool()


def _answer(status_code: int, detail: object) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Name what does not fit, without repeating the input: it may hold what cannot be written as JSON."""
    assert isinstance(error, RequestValidationError)
    problems = [
        {"loc": [_printable(part) for part in problem["loc"]], "msg": _printable(problem["msg"])}
        for problem in error.errors()
    ]
    return _answer(status.HTTP_422_UNPROCESSABLE_CONTENT, problems)


def _printable(part: object) -> object:
    return part.encode("utf-8", "replace").decode("utf-8") if isinstance(part, str) else part


async def _wrong_method(request: Request, _: Exception) -> JSONResponse:
    """Name every method of the path: several routes may share it, and Starlette asks only the first."""
    scopes = {method: {**request.scope, "method": method} for method in ("DELETE", "GET", "PATCH", "POST", "PUT")}
    routes = request.app.routes
    allowed = [name for name, scope in scopes.items() if any(r.matches(scope)[0] is Match.FULL for r in routes)]
    answer = _answer(status.HTTP_405_METHOD_NOT_ALLOWED, f"{request.method} is not a method of this path")
    answer.headers["Allow"] = ", ".join(allowed)
    return answer


async def _service_away(request: Request, error: Exception) -> JSONResponse:
    logger.error("{} {}: {}", request.method, request.url.path, describe(error))
    what = "the task queue" if isinstance(error, SendTaskError) else "the database"
    return _answer(status.HTTP_503_SERVICE_UNAVAILABLE, f"{what} cannot be reached; try again later")


async def _keys_away(request: Request, error: Exception) -> JSONResponse:
    logger.error("{} {}: signing keys: {}", request.method, request.url.path, describe(error))
    return _answer(status.HTTP_503_SERVICE_UNAVAILABLE, "no token can be verified at the moment; try again later")


async def _schema_behind(request: Request, error: Exception) -> JSONResponse:
    logger.error("{} {}: {}", request.method, request.url.path, describe(error))
    detail = "the database has not the tables of this version: apply the schema (python -m app.schema)"
    return _answer(status.HTTP_503_SERVICE_UNAVAILABLE, detail)


async def _model_failed(request: Request, error: Exception) -> JSONResponse:
    logger.error("{} {}: {}", request.method, request.url.path, describe(error))
    return _answer(status.HTTP_503_SERVICE_UNAVAILABLE, describe(error))


async def _no_direction(_: Request, error: Exception) -> JSONResponse:
    return _answer(status.HTTP_422_UNPROCESSABLE_CONTENT, f"nothing can be similar to this text: {describe(error)}")


async def _not_found(_: Request, error: Exception) -> JSONResponse:
    return _answer(status.HTTP_404_NOT_FOUND, str(error))


async def _conflict(_: Request, error: Exception) -> JSONResponse:
    return _answer(status.HTTP_409_CONFLICT, str(error))


def create_app() -> FastAPI:
    """Build the application with its routes and error answers."""
    application = FastAPI(title="Knowledge pipeline", lifespan=_lifespan)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(status.HTTP_405_METHOD_NOT_ALLOWED, _wrong_method)
    application.add_exception_handler(OperationalError, _service_away)
    application.add_exception_handler(SendTaskError, _service_away)
    application.add_exception_handler(KeysUnavailableError, _keys_away)
    application.add_exception_handler(ModelError, _model_failed)
    application.add_exception_handler(VectorError, _model_failed)
    application.add_exception_handler(ZeroVectorError, _no_direction)
    application.add_exception_handler(ConflictError, _conflict)
    application.add_exception_handler(NoVectorError, _conflict)
    application.add_exception_handler(NotEmbeddedError, _conflict)
    application.add_exception_handler(UndefinedColumn, _schema_behind)
    application.add_exception_handler(UndefinedTable, _schema_behind)
    application.add_exception_handler(UnknownRowError, _not_found)
    application.include_router(webhook.router)
    application.include_router(health.router)
    application.include_router(metrics.router)
    protected = APIRouter(dependencies=[Depends(token_holders_only)], responses=problems(400, 401, 422, 503))
    for module in (
        me,
        messages,
        topics,
        atoms,
        knowledge,
        embeddings,
        semantic_search,
        semantic_index,
        providers,
        agent_configs,
        task_executions,
        dead_letters,
    ):
        protected.include_router(module.router)
    application.include_router(health.router, prefix="/api/v1")
    application.include_router(protected, prefix="/api/v1")
    return application


app = create_app()
