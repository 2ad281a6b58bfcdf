"""Who may call: secrets are compared in constant time, session tokens are verified."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, Request, status
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from loguru import logger

from ..identity import TokenRefusedError, User, verified_user
from ..settings import get_settings

_telegram = APIKeyHeader(
    name="X-Telegram-Bot-Api-Secret-Token",
    auto_error=False,
    description="Asked for when TELEGRAM_WEBHOOK_SECRET is set.",
)
_token = HTTPBearer(auto_error=False, description="Asked for when API_TOKEN or CLERK_* is set.")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8"))


async def telegram_only(given: Annotated[str | None, Depends(_telegram)]) -> None:
    """Let only Telegram in, when ``TELEGRAM_WEBHOOK_SECRET`` is set (the ``secret_token`` given to ``setWebhook``)."""
    secret = get_settings().telegram_webhook_secret
    if secret is None:
        return
    if given is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "the header X-Telegram-Bot-Api-Secret-Token is missing")
    if not _same(given, secret.get_secret_value()):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "the header X-Telegram-Bot-Api-Secret-Token is wrong")


async def token_holders_only(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)]
) -> User | None:
    """Ask for ``Authorization: Bearer …`` when a token is configured; configure one wherever others can connect.

    Either ``API_TOKEN``, for programs, or a session token of the configured Clerk instance, whose user is returned.
    """
    settings = get_settings()
    if settings.api_token is None and settings.clerk_instance is None:
        return None
    if given is None:
        raise _refusal()
    if settings.api_token is not None and _same(given.credentials, settings.api_token.get_secret_value()):
        return None
    if settings.clerk_instance is None:
        raise _refusal()
    try:
        return await verified_user(given.credentials)
    except TokenRefusedError as error:
        endpoint = f"{request.method} {request.url.path}"
        logger.warning("AUTHENTICATION ERROR: Token verification failed for endpoint: {}: {}", endpoint, error)
        raise _refusal() from error


def _refusal() -> HTTPException:
    detail = "a valid bearer token is needed"
    return HTTPException(status.HTTP_401_UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
