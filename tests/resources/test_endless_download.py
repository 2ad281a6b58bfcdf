"""A download whose server never ends a line, or never ends at all, has an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import repeat

import pytest

from doctor.resources.model_server import ModelServerError, ModelServerUnreachable
from doctor.resources.ollama import OllamaServer
from doctor.resources.unreachable import Reason

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def saying(pieces: Iterator[bytes], pause: float) -> AsyncIterator[OllamaServer]:
    """An Ollama that answers every question with ``pieces``, and ``pause`` seconds between them."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:  # the other side has had enough
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server = OllamaServer(f"http://127.0.0.1:{port}", origin=".env:1")
    async with listener:
        yield server
        await server.close()


async def test_a_line_without_an_end_is_not_read_on():
    async with saying(repeat(b"x" * 65_536), 0.0) as server:
        with pytest.raises(ModelServerError, match="a line of more than"):
            await server.pull("one-model", lambda line: None)


async def test_a_line_that_drips_is_given_up():
    async with saying(repeat(b" "), 0.01) as server:
        with pytest.raises(ModelServerUnreachable, match="no line") as caught:
            await server.pull("one-model", lambda line: None, idle=0.3)
    assert caught.value.reason is Reason.TIMEOUT


async def test_a_download_that_makes_no_end_has_one():
    async with saying(repeat(b'{"status": "pulling"}\n'), 0.01) as server:
        with pytest.raises(ModelServerUnreachable, match="no end") as caught:
            await server.pull("one-model", lambda line: None, total=0.3)
    assert caught.value.reason is Reason.TIMEOUT


async def test_lines_in_pieces_are_put_together():
    pieces = iter([b'{"status": "pul', b'ling"}\n{"sta', b'tus": "success"}'])
    said: list[str] = []
    async with saying(pieces, 0.0) as server:
        await server.pull("one-model", said.append)
    assert said == ["pulling", "success"]
