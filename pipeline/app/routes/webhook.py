"""``POST /webhook/telegram``: accept an update, or say clearly that Telegram should send it again."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, HTTPException, Request, status
from loguru import logger
from psycopg import Error as DatabaseError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from taskiq import SendTaskError

from ..database import connection
from ..errors import describe
from ..settings import get_settings
from ..tasks.ingestion import save_telegram_message
from ..telegram import IncomingMessage, Update, message_of
from .access import telegram_only
from .problems import problems

router = APIRouter(tags=["webhook"])

# With the connection kept open, the server would go on reading the rest of the body.
HANG_UP = {"Connection": "close"}


class Accepted(BaseModel):
    """The answer to an update. ``queued`` is false for updates that carry no text."""

    ok: bool = True
    queued: bool


# The body is read by hand, so that its length is bounded while it arrives; so it is declared by hand too, with its
# parts where they stand in the document.
UPDATE_SCHEMA = Update.model_json_schema(
    ref_template="#/paths/~1webhook~1telegram/post/requestBody/content/application~1json/schema/$defs/{model}"
)
UPDATE_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": UPDATE_SCHEMA}}}}


@router.post(
    "/webhook/telegram",
    dependencies=[Depends(telegram_only)],
    responses=problems(400, 401, 403, 408, 413, 422, 503),
    openapi_extra=UPDATE_BODY,
)
async def receive_update(request: Request) -> Accepted:
    """Accept one update. 200 means that it is stored in the queue; everything else that it is not."""
    update = _parse(await _bounded_body(request))
    message = message_of(update)
    if message is None:
        return Accepted(queued=False)
    await _enqueue(message)
    return Accepted(queued=True)


async def _bounded_body(request: Request) -> bytes:
    """Read the body up to ``WEBHOOK_MAX_BYTES`` and within the deadline; a longer one is refused while it arrives."""
    settings = get_settings()
    body = bytearray()
    try:
        async with asyncio.timeout(settings.webhook_deadline_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > settings.webhook_max_bytes:
                    raise HTTPException(
                        status.HTTP_413_CONTENT_TOO_LARGE,
                        f"an update has at most {settings.webhook_max_bytes} bytes",
                        HANG_UP,
                    )
    except TimeoutError:
        raise HTTPException(status.HTTP_408_REQUEST_TIMEOUT, "the body did not arrive in time", HANG_UP) from None
    except ClientDisconnect:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "the connection ended before the body did") from None
    return bytes(body)


def _parse(body: bytes) -> Update:
    try:
        return Update.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"not an update: {place}: {first['msg']}") from None


async def _enqueue(message: IncomingMessage) -> None:
    """Put the message into the queue, if the database is there to take it in the end; 503 makes Telegram retry."""
    deadline = get_settings().webhook_deadline_seconds
    try:
        async with asyncio.timeout(deadline):
            async with connection(timeout=deadline / 2):
                pass  # lending a connection checks it with a round trip
            await save_telegram_message.kiq(message)
    except (DatabaseError, SendTaskError, TimeoutError) as error:
        logger.error("Update {} not accepted: {}", message.external_id, describe(error))
        what = "the database" if isinstance(error, DatabaseError) else "the task queue"
        raise HTTPException(
            status.HTTP_503_SERVICE_UNAVAILABLE,
            f"{what} cannot be reached; send the update again",
            {"Retry-After": "5"},
        ) from error
