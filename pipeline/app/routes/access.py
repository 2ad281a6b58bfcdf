"""Who may call: secrets are compared in constant time."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, status
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from ..settings import get_settings

_telegram = APIKeyHeader(
    name="X-Telegram-Bot-Api-Secret-Token",
    auto_error=False,
    description="Asked for when TELEGRAM_WEBHOOK_SECRET is set.",
)
_token = HTTPBearer(auto_error=False, description="Asked for when API_TOKEN is set.")


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


async def token_holders_only(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)]) -> None:
    """Ask for ``Authorization: Bearer <API_TOKEN>`` when ``API_TOKEN`` is set; set it wherever others can connect."""
    token = get_settings().api_token
    if token is None:
        return
    if given is None or not _same(given.credentials, token.get_secret_value()):
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"}
        )
