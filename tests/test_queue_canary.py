"""A canary that nobody takes, or that somebody takes and never finishes, is withdrawn."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator

import nats
import pytest

from doctor.pipeline.sandbox.binaries import nats_server
from doctor.pipeline.sandbox.ports import free_port
from doctor.queue_canary import send_canary
from doctor.resources.nats import Nats, StreamNotFound


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("canary"), free_port()
    log = folder / "nats.log"
    command = [str(nats_server()), "--addr", "127.0.0.1", "--port", str(port), "--log", str(log)]
    with subprocess.Popen([*command, "--jetstream", "--store_dir", str(folder)], stderr=subprocess.DEVNULL) as process:
        while "Server is ready" not in (log.read_text() if log.exists() else ""):
            assert process.poll() is None, "nats-server has ended"
        yield f"nats://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
async def queue(url: str) -> AsyncIterator[Nats]:
    opened = Nats(url, origin=".env:1")
    await opened.open()
    yield opened
    await opened.close()


async def test_without_a_stream_nothing_is_sent(queue: Nats):
    with pytest.raises(StreamNotFound):
        await send_canary(queue, "taskiq_tasks", "1", 0.2)


async def test_what_nobody_takes_and_what_nobody_finishes_is_withdrawn(queue: Nats, url: str):
    client = await nats.connect(url)
    jetstream = client.jetstream()
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    subscription = await jetstream.pull_subscribe("taskiq_tasks", durable="taskiq_durable")
    times = await send_canary(queue, "taskiq_tasks", "1", 0.2)
    assert (times.taken, times.done) == (None, None)
    taking = asyncio.create_task(subscription.fetch(1, timeout=5))
    times = await send_canary(queue, "taskiq_tasks", "2", 0.5)
    assert times.taken is not None
    assert times.done is None
    (message,) = await taking
    assert b"doctor:canary" in message.data
    assert (await jetstream.stream_info("taskiq_jetstream")).state.messages == 0
    await client.close()
