"""A bare HTTP server of this process that keeps what it was sent: to see what is, and what is not, on the wire."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MODELS = b'{"object": "list", "data": [{"id": "one-model"}]}'

TLS = b"\x16"
"""The first byte of a client that speaks TLS; a plain server answers it in plain HTTP."""


def response(status: str = "200 OK", body: bytes = MODELS, kind: str = "application/json", more: str = "") -> bytes:
    """Return an answer as it stands on the wire; ``more`` are whole lines of its head."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Wire:
    """Where it listens, and the heads of the requests that came, as they were written."""

    port: int = 0
    heads: list[str] = field(default_factory=list)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def listening(
    answer: Callable[[str], bytes] = lambda head: response(), tls: ssl.SSLContext | None = None
) -> AsyncIterator[Wire]:
    """Listen on a free port of loopback; ``answer`` makes the bytes of an answer from the head of a request."""
    wire = Wire()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        if first == TLS:
            writer.write(response("400 Bad Request", b"speak HTTP", "text/plain"))
        elif first:
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
            wire.heads.append(head)
            writer.write(answer(head))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    wire.port = server.sockets[0].getsockname()[1]
    async with server:
        yield wire


@asynccontextmanager
async def speaking(words: bytes) -> AsyncIterator[str]:
    """Greet whoever connects to a free port of loopback with ``words``; yields the address."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"{host}:{port}"
