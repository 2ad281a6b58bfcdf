"""Real servers for the resources, once per session: PostgreSQL, NATS, the Ollama stand-in. Bad neighbours per test."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from doctor.model import Secret
from doctor.pipeline.sandbox import nats as sandbox_nats
from doctor.pipeline.sandbox import postgres as sandbox_postgres
from doctor.pipeline.sandbox.binaries import nats_server
from doctor.pipeline.sandbox.ports import free_port
from doctor.resources.database import Database

PASSWORD = "correct-horse"
START_DEADLINE = 30.0


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _run(command: list[str], port: int, log: Path, user: str | None = None) -> subprocess.Popen[bytes]:
    """Start a server and wait until it accepts connections on its port."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, user=user)
    deadline = time.monotonic() + START_DEADLINE
    while not _accepts(port):
        if process.poll() is not None or time.monotonic() > deadline:
            _stop(process)
            raise AssertionError(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Postgres:
    port: int
    role: str
    command: tuple[str, ...]
    log: Path
    user: str | None
    running: list[subprocess.Popen[bytes]]

    def url(self, database: str = "postgres", user: str | None = None, password: str = PASSWORD) -> str:
        return f"postgresql://{user or self.role}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.running.append(_run(list(self.command), self.port, self.log, self.user))
        deadline = time.monotonic() + START_DEADLINE
        while True:  # it accepts connections a little before it answers them
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server: SIGINT ends its connections first, SIGQUIT is a crash."""
        process = self.running.pop()
        process.send_signal(how)
        _stop(process)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("postgres")
    how = sandbox_postgres.runner()
    if how.user is not None:
        for parent in (folder, *list(folder.parents)[:3]):
            parent.chmod(0o755)
    sandbox_postgres.make_cluster(folder / "data", PASSWORD, how)
    port = free_port()
    command = tuple(sandbox_postgres.command(folder / "data", port, how))
    server = Postgres(port, sandbox_postgres.DATABASE_ROLE, command, folder / "postgres.log", how.user, [])
    server.start()
    yield server
    server.stop()


_names = count(1)


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """The address of an empty database of this test's own."""
    name = f"resources_{next(_names)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(Secret(database_url), origin=".env:1")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def nats_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder, port = tmp_path_factory.mktemp("nats"), free_port()
    process = _run(sandbox_nats.command(folder, port, "with-jetstream"), port, folder / "nats.log")
    yield port
    _stop(process)


@pytest.fixture(scope="session")
def plain_nats_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server without JetStream that wants user ``app`` with the password."""
    folder, port = tmp_path_factory.mktemp("plain-nats"), free_port()
    command = [str(nats_server()), "--addr", "127.0.0.1", "--port", str(port), "--user", "app", "--pass", PASSWORD]
    process = _run(command, port, folder / "nats.log")
    yield port
    _stop(process)


class Restartable:
    """A NATS server that a test stops and starts again on the same port."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(nats_server()), "--addr", "127.0.0.1", "--port", str(self.port)]
        self._process = _run(command, self.port, self._log)

    def stop(self) -> None:
        if self._process is not None:
            _stop(self._process)
            self._process = None


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator[Restartable]:
    server = Restartable(tmp_path / "nats.log")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def ollama_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("ollama"), free_port()
    command = [sys.executable, "-m", "doctor.pipeline.sandbox.models", "--port", str(port)]
    process = _run(command, port, folder / "models.log")
    yield f"http://127.0.0.1:{port}"
    _stop(process)


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def neighbour() -> AsyncIterator[Callable[[Talk], Awaitable[int]]]:
    """Start a service that talks as told, on a real socket; returns its port."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def start(talk: Talk) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await talk(reader, writer)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0)
    for server in servers:
        await server.wait_closed()
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        done, _ = await asyncio.wait(others, timeout=0.05)
        if not done:
            break


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A web server that knows nothing of what it is asked."""
    await reader.read(4096)
    body = b"<html><body>Welcome</body></html>"
    head = (
        f"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)


@pytest.fixture
async def silent_port(neighbour: Callable[[Talk], Awaitable[int]]) -> int:
    return await neighbour(_silence)


@pytest.fixture
async def http_port(neighbour: Callable[[Talk], Awaitable[int]]) -> int:
    return await neighbour(_http)


@pytest.fixture
def dead_port() -> int:
    """A port on which nothing listens."""
    return free_port()
