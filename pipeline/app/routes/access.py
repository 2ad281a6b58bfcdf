"""Who may call: secrets are compared in constant time."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Header, HTTPException, status

from ..settings import get_settings


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8"))


async def telegram_only(x_telegram_bot_api_secret_token: Annotated[str | None, Header()] = None) -> None:
    """Let only Telegram in, when ``TELEGRAM_WEBHOOK_SECRET`` is set (the ``secret_token`` given to ``setWebhook``)."""
    secret = get_settings().telegram_webhook_secret
    if secret is None:
        return
    if x_telegram_bot_api_secret_token is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "the header X-Telegram-Bot-Api-Secret-Token is missing")
    if not _same(x_telegram_bot_api_secret_token, secret.get_secret_value()):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "the header X-Telegram-Bot-Api-Secret-Token is wrong")


async def token_holders_only(authorization: Annotated[str | None, Header()] = None) -> None:
    """Ask for ``Authorization: Bearer <API_TOKEN>`` when ``API_TOKEN`` is set; set it wherever others can connect."""
    token = get_settings().api_token
    if token is None:
        return
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not _same(given.strip(), token.get_secret_value()):
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"}
        )
