"""A NATS server with JetStream of the sandbox's own, and what is asked of any NATS server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo

from doctor.pipeline.sandbox.binaries import nats_server

#: The stream of the application; the sandbox removes it from a server that is not its own.
STREAM = "taskiq_jetstream"

#: The subject of its tasks.
SUBJECT = "taskiq_tasks"

PROBE_SECONDS = 2.0


def command(data: Path, port: int, name: str) -> list[str]:
    """Return the command that runs the server in the foreground; it logs to its standard error."""
    return [
        str(nats_server()),
        *("--addr", "127.0.0.1", "--port", str(port), "--name", name),
        *("--jetstream", "--store_dir", str(data), "--pid", str(data / "nats.pid")),
    ]


async def is_ready(url: str) -> bool:
    """Tell whether the server greets, and says that JetStream is on."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 4222)
            try:
                greeting = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    # https://docs.nats.io/reference/reference-protocols/nats-protocol: the server speaks first, `INFO {json}`.
    try:
        return greeting.startswith(b"INFO ") and json.loads(greeting[5:]).get("jetstream") is True
    except ValueError:
        return False


async def worker_is_listening(url: str) -> bool:
    """Tell whether a consumer has a request for messages open: only a running worker has one.

    The API binds the same consumer but never asks for messages; the server forgets the requests of a connection that is
    gone.
    """
    return any((consumer.num_waiting or 0) > 0 for consumer in await _consumers(url))


async def worker_is_busy(url: str) -> bool:
    """Tell whether messages have been delivered and not yet acknowledged: their tasks are at work."""
    return any((consumer.num_ack_pending or 0) > 0 for consumer in await _consumers(url))


async def queue_is_empty(url: str) -> bool:
    """Tell whether no task waits and none is at work; false when the server cannot be asked."""
    found = await _consumers(url)
    return bool(found) and not any((one.num_pending or 0) + (one.num_ack_pending or 0) for one in found)


async def _consumers(url: str) -> list[ConsumerInfo]:
    """Return what the server knows of the stream's consumers; nothing when it cannot be asked."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            client = await nats.connect(url, max_reconnect_attempts=1, connect_timeout=1, error_cb=_ignore)
            try:
                return await client.jetstream().consumers_info(STREAM)
            finally:
                await client.close()
    except (NatsError, OSError, TimeoutError):
        return []


async def stream_exists(url: str) -> bool:
    """Tell whether the application's stream is on a server already: then it is somebody else's.

    Raises:
        NatsError, OSError: the server cannot be asked.
    """
    client = await nats.connect(url, max_reconnect_attempts=1, connect_timeout=2, error_cb=_ignore)
    try:
        return STREAM in {info.config.name for info in await client.jetstream().streams_info()}
    finally:
        await client.close()


async def delete_stream(url: str) -> None:
    """Remove the application's stream from a server that the sandbox was given.

    Raises:
        NatsError, OSError: the server cannot be reached or refuses.
    """
    client = await nats.connect(url, max_reconnect_attempts=1, connect_timeout=2, error_cb=_ignore)
    try:
        await client.jetstream().delete_stream(STREAM)
    finally:
        await client.close()


async def purge_stream(url: str) -> None:
    """Drop the tasks that wait in the application's stream.

    Raises:
        NatsError, OSError: the server cannot be reached or refuses.
    """
    client = await nats.connect(url, max_reconnect_attempts=1, connect_timeout=2, error_cb=_ignore)
    try:
        await client.jetstream().purge_stream(STREAM)
    finally:
        await client.close()


async def _ignore(_: Exception) -> None:
    """Keep quiet about errors that the caller sees as an answer."""


PAUSE = "$JS.API.CONSUMER.PAUSE.{stream}.{consumer}"
"""JetStream's request to pause a consumer until a time, or to resume it (nats-server 2.11, "CONSUMER.PAUSE")."""

FOR_EVER = "2100-01-01T00:00:00Z"


async def pause_consumers(url: str, until: str | None) -> None:
    """Have the server give out no more tasks until then; None: have it go on.

    Raises:
        NatsError, OSError: the server cannot be asked.
    """
    async with _connected(url) as client:
        for consumer in await client.jetstream().consumers_info(STREAM):
            subject = PAUSE.format(stream=STREAM, consumer=consumer.name)
            request = json.dumps({} if until is None else {"pause_until": until}).encode()
            await client.request(subject, request, timeout=PROBE_SECONDS)


async def queue_settings(url: str) -> dict[str, object]:
    """Return what of the application's stream and its consumers can be changed while it runs.

    Raises:
        NatsError, OSError: the server cannot be asked.
    """
    async with _connected(url) as client:
        config = (await client.jetstream().stream_info(STREAM)).config
        paused = {one.name: bool(one.paused) for one in await client.jetstream().consumers_info(STREAM)}
    discard, subjects = str(config.discard), config.subjects
    return {"subjects": subjects, "discard": discard, "max_bytes": config.max_bytes, "paused": paused}


async def change_stream(url: str, **settings: Any) -> None:
    """Change settings of the application's stream in place; its tasks stay.

    Raises:
        NatsError, OSError: the server cannot be asked, or refuses.
    """
    async with _connected(url) as client:
        config = (await client.jetstream().stream_info(STREAM)).config
        await client.jetstream().update_stream(config.evolve(**settings))


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Client]:
    client = await nats.connect(url, max_reconnect_attempts=1, connect_timeout=2, error_cb=_ignore)
    try:
        yield client
    finally:
        await client.close()
