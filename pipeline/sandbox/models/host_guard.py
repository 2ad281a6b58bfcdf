"""Ollama's check of the ``Host`` header: a server on loopback answers 403 with an empty body to a foreign name.

Source: Ollama, ``server/routes.go``, ``allowedHostsMiddleware``.
"""

from __future__ import annotations

import ipaddress
import socket

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

ALLOWED_ENDINGS = (".localhost", ".local", ".internal")


def is_allowed_host(header: str) -> bool:
    """Tell whether a ``Host`` header (with or without a port) names this machine or a private address."""
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() else header
    host = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        names = {"", "localhost", socket.gethostname().lower()}
        return host in names or host.endswith(ALLOWED_ENDINGS)
    return address.is_loopback or address.is_private or address.is_unspecified


class HostGuard:
    """ASGI middleware that refuses requests with a foreign ``Host``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] == "http":
            header = next((value for name, value in scope["headers"] if name == b"host"), b"")
            if not is_allowed_host(header.decode("latin-1")):
                await Response(status_code=403)(scope, receive, send)
                return
        await self._app(scope, receive, send)
