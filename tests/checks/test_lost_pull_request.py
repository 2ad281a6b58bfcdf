"""A worker of taskiq-nats over a restart of NATS: without a time-out it waits for ever, with one it goes on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from doctor.model import Status
from doctor.pipeline.sandbox.binaries import nats_server
from doctor.pipeline.sandbox.ports import free_port
from doctor.resources.jetstream import Consumer
from doctor.resources.nats import Nats, NatsError
from tests.checks.conftest import Ask, the_finding

PATIENCE = 30.0
BROKER = "from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker({given})\n"
# Not the command of TaskIQ, which takes seconds to start, but the library's own broker and its own way to listen.
WORKER = """\
import asyncio
import sys

from taskiq_nats import PullBasedJetStreamBroker


async def quiet(error):
    pass


async def main():
    options = {"reconnect_time_wait": 0.1, "max_reconnect_attempts": -1, "error_cb": quiet}
    timeout = float(sys.argv[3]) if len(sys.argv) > 3 else None
    broker = PullBasedJetStreamBroker(sys.argv[2], pull_consume_timeout=timeout, **options)
    await broker.startup()
    while True:
        try:
            async for message in broker.listen():
                await message.ack()
        except Exception:  # while the server is away, TaskIQ's receiver starts to listen again
            await asyncio.sleep(0.1)


asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look as often as always, and wait less in between: what is to happen has happened before."""
    monkeypatch.setattr("doctor.checks.worker_not_consuming.PAUSE", 0.02)


class Server:
    """A NATS server that is stopped and started again with its streams."""

    def __init__(self, folder: Path) -> None:
        self.port, self.pages, self.folder = free_port(), free_port(), folder
        self.log = folder / "nats.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.log.unlink(missing_ok=True)
        command = [str(nats_server()), "--addr", "127.0.0.1", "--port", str(self.port), "--log", str(self.log)]
        command += ["--http_port", str(self.pages), "--jetstream", "--store_dir", str(self.folder)]
        self.process = subprocess.Popen(command)
        while "Server is ready" not in (self.log.read_text() if self.log.exists() else ""):
            assert self.process.poll() is None, "nats-server has ended"

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("restarted"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def worker(tmp_path: Path, server: Server) -> Iterator[Callable[..., None]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*timeout: str) -> None:
        (tmp_path / "taskiq").write_text(WORKER)
        command = [sys.executable, str(tmp_path / "taskiq"), "worker", server.url, *timeout]
        started.append(subprocess.Popen(command, cwd=tmp_path))

    yield start
    for one in started:
        one.kill()
        one.wait()


async def until(server: Server, holds: Callable[[Consumer], bool]) -> None:
    """Ask until the worker's consumer is as wanted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            nats = Nats(server.url, origin=".env:1")
            try:
                await nats.open()
                if any(map(holds, await nats.consumers("taskiq_jetstream"))):
                    return
            except NatsError:
                pass  # the worker has not made it yet
            finally:
                await nats.close()
            await asyncio.sleep(0.05)


async def until_connected(server: Server) -> None:
    """Wait until the worker is back on the server, which knows its connections."""
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient(trust_env=False) as client:
        while not (await client.get(f"http://127.0.0.1:{server.pages}/connz")).json()["num_connections"]:
            await asyncio.sleep(0.05)


async def send(server: Server) -> None:
    nats = Nats(server.url, origin=".env:1")
    await nats.open()
    for _ in range(3):
        await nats.publish("taskiq_tasks", b"{}")
    await nats.close()


async def test_without_a_time_out_the_request_is_lost_with_the_server(ask: Ask, server, worker):
    worker()
    await until(server, lambda consumer: consumer.num_waiting > 0)
    server.stop()
    server.start()
    await until_connected(server)
    await send(server)
    files = {"app/broker.py": BROKER.format(given="")}
    finding = the_finding(await ask("WRK001", files, NATS_URL=server.url))
    assert finding.cause == "the worker lost its pull request"
    assert "3 wait, a worker process runs (pid " in finding.symptom


async def test_with_a_time_out_the_worker_asks_again(ask: Ask, server, worker):
    worker("0.2")
    await until(server, lambda consumer: consumer.num_waiting > 0)
    server.stop()
    server.start()
    await send(server)
    await until(server, lambda consumer: consumer.ack_floor_sequence == 3)
    files = {"app/broker.py": BROKER.format(given="pull_consume_timeout=0.2")}
    result = await ask("WRK001", files, NATS_URL=server.url)
    assert result.status is Status.PASS
