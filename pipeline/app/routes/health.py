"""``GET /health``: the state of everything that the pipeline stands on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, Request, Response, status
from nats.errors import Error as NatsError
from psycopg import Error as DatabaseError
from pydantic import BaseModel

from ..broker import broker
from ..database import connection
from ..errors import describe
from ..language_models import ModelError, Provider, list_models
from ..local_model import LocalModel, ModelState

router = APIRouter(tags=["health"])

PROBE_TIMEOUT_SECONDS = 2.0


class Component(BaseModel):
    """One service. ``detail`` says what is wrong."""

    state: Literal["up", "down"]
    latency_ms: float
    detail: str | None = None


class LocalModelHealth(BaseModel):
    """The model of ``LOCAL_MODEL``. ``detail`` says why it could not be fetched."""

    name: str
    state: ModelState
    detail: str | None = None


class Health(BaseModel):
    """``ok``: all up. ``degraded``: models do not answer, messages wait. ``down``: messages cannot be taken in.

    ``local_model`` is there when one is configured; messages do not wait for it.
    """

    status: Literal["ok", "degraded", "down"]
    database: Component
    nats: Component
    models: Component
    local_model: LocalModelHealth | None = None


@router.get("/health", responses={503: {"model": Health, "description": "Messages cannot be taken in."}})
async def health(request: Request, response: Response) -> Health:
    """Ask every service at once; 503 when messages cannot be taken in."""
    database, queue, models = await asyncio.gather(_probe(_database), _probe(_queue), _probe(_models))
    found = Health(
        status="ok" if models.state == "up" else "degraded",
        database=database,
        nats=queue,
        models=models,
        local_model=_local_model(getattr(request.app.state, "local_model", None)),
    )
    if "down" in (database.state, queue.state):
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        found.status = "down"
    return found


def _local_model(model: LocalModel | None) -> LocalModelHealth | None:
    return None if model is None else LocalModelHealth(name=model.repository, state=model.state, detail=model.detail)


async def _database() -> None:
    async with connection(timeout=PROBE_TIMEOUT_SECONDS) as database:
        await database.execute("SELECT 1")


async def _queue() -> None:
    if not broker.client.is_connected:
        raise NatsError("not connected")
    await broker.client.jetstream().stream_info(broker.stream_name)


async def _models() -> None:
    await list_models(Provider("ollama", "ollama"), PROBE_TIMEOUT_SECONDS)


async def _probe(ask: Callable[[], Awaitable[None]]) -> Component:
    start = time.perf_counter()
    detail: str | None = None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            await ask()
    except TimeoutError:
        detail = f"no answer within {PROBE_TIMEOUT_SECONDS:.0f} s"
    except (DatabaseError, NatsError, ModelError, OSError) as error:
        detail = describe(error)
    latency = round(1000 * (time.perf_counter() - start), 1)
    return Component(state="up" if detail is None else "down", latency_ms=latency, detail=detail)
