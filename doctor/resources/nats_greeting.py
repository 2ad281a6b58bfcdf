"""The greeting of a NATS server, read on a plain socket: who is there, and if nobody, why.

It tells a dead port, an unknown name, a silent service and one of another kind apart.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from doctor.redaction import bounded, redact
from doctor.resources.address import in_url, resolve
from doctor.resources.jetstream import ServerInfo
from doctor.resources.unreachable import Reason, ResourceUnreachable, reason_of

DEFAULT_PORT = 4222
GREETING_LIMIT = 65536
"""Bytes of a first line that ends somewhere."""

_SCHEMES = frozenset({"nats", "tls", "ws", "wss"})


class NatsError(Exception):
    """NATS did not do what was asked."""


class NatsUnreachable(NatsError, ResourceUnreachable):  # noqa: N818 - as its base
    """No connection to NATS; ``reason`` says why."""

    resource = "nats"
    title = "NATS"


async def read_greeting(server: str, timeout: float) -> ServerInfo:
    """Read the ``INFO`` line with which every NATS server greets (client protocol, "INFO").

    Raises:
        NatsUnreachable: with the reason; a service that waits for the client to speak first is not NATS.
    """
    if server.startswith(("ws://", "wss://")):
        return ServerInfo("", "", jetstream=True, max_payload=0)  # no greeting before the HTTP upgrade
    address = address_of(server)
    try:
        host, port = host_and_port(server)
    except ValueError as error:
        raise NatsUnreachable(Reason.INVALID_ADDRESS, address, str(error)) from None
    try:
        async with asyncio.timeout(timeout):
            await resolve(host, port, timeout)
            async with _socket(host, port) as (reader, writer):
                line = await _first_words(reader, writer, timeout)
    except ValueError:
        raise NatsUnreachable(Reason.WRONG_PROTOCOL, address, "its first line has no end") from None
    except (OSError, TimeoutError) as error:
        raise NatsUnreachable(reason_of(error), address, str(error)) from error
    if not line:
        raise NatsUnreachable(Reason.CLOSED, address, "it hung up without a greeting")
    try:
        return _server_info(line)
    except (ValueError, TypeError, OverflowError, RecursionError):
        said = bounded(line.decode("utf-8", "replace").strip(), 60)
        raise NatsUnreachable(Reason.WRONG_PROTOCOL, address, f"it said {said!r}") from None


async def _first_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> bytes:
    """Return the first line. Who is silent for half of the time is sent ``PING``: HTTP servers answer that."""
    try:
        async with asyncio.timeout(timeout / 2):
            return await reader.readline()
    except TimeoutError:
        writer.write(b"PING\r\n\r\n")
        return await reader.readline()


@asynccontextmanager
async def _socket(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port, limit=GREETING_LIMIT)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def _server_info(line: bytes) -> ServerInfo:
    keyword, _, body = line.partition(b" ")
    if keyword.upper() != b"INFO":
        raise ValueError("no greeting of a NATS server")
    info: dict[str, Any] = json.loads(body)
    if not isinstance(info, dict):
        raise TypeError("no greeting of a NATS server")
    return ServerInfo(
        name=redact(str(info.get("server_name", ""))),
        version=redact(str(info.get("version", ""))),
        jetstream=bool(info.get("jetstream", False)),
        max_payload=int(info.get("max_payload", 0)),
        auth_required=bool(info.get("auth_required", False)),
        tls_required=bool(info.get("tls_required", False)),
    )


def normalised(text: str) -> str:
    """Return the address with its scheme."""
    text = text.strip()
    return text if "://" in text else f"nats://{text}"


def host_and_port(server: str) -> tuple[str, int]:
    """Split an address.

    Raises:
        ValueError: the scheme or the port is wrong.
    """
    parts = urlsplit(server)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{parts.scheme[:20]!r} is not a scheme of NATS")
    return parts.hostname or "localhost", parts.port or DEFAULT_PORT


def address_of(server: str) -> str:
    """Return ``host:port`` without credentials."""
    try:
        host, port = host_and_port(server)
    except ValueError:
        return "(invalid address)"
    return f"{in_url(host)}:{port}"
