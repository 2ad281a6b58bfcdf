"""The services of a sandbox: how each is started, when it is ready, and how it is stopped."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from doctor.pipeline.sandbox import nats, postgres
from doctor.pipeline.sandbox.addresses import Addresses
from doctor.pipeline.sandbox.layout import Layout
from doctor.pipeline.sandbox.readiness import http_status

HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class Service:
    """One long-running process.

    ``prepare`` runs before each start. ``stop_signal`` asks it to end by itself; ``whole_group`` sends that to its
    children too. ``patience`` is how many seconds it may take. When it is to start again on changed code, it gets up to
    ``drain`` seconds as long as ``is_busy``, so that work in hand is finished and not lost for an ``ack_wait``. It is
    asked every ``ask_seconds`` whether it is ready.
    """

    name: str
    command: Callable[[int], list[str]]
    is_ready: Callable[[], Awaitable[bool]]
    prepare: Callable[[], Awaitable[None]] | None = None
    user: Callable[[], str | None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    whole_group: bool = False
    has_port: bool = True
    patience: float = 2.0
    drain: float = 0.0
    ask_seconds: float = 0.03
    is_busy: Callable[[], Awaitable[bool]] | None = None


def build_services(layout: Layout, addresses: Addresses) -> dict[str, Service]:
    """Return every service that the sandbox runs itself, by name."""
    own = (
        *((_keys(layout, addresses),) if addresses.plan.secret_key else ()),
        _postgres(layout, addresses),
        _nats(layout, addresses),
        _models(addresses),
        _api(addresses),
        _worker(addresses),
    )
    return {service.name: service for service in own if service.name not in addresses.plan.given}


def schema_command() -> list[str]:
    """Return the command that creates extension and tables; running it again changes nothing."""
    return [sys.executable, "-m", "app.schema"]


def _postgres(layout: Layout, addresses: Addresses) -> Service:
    data = layout.data / "postgres"

    async def prepare() -> None:
        await asyncio.to_thread(postgres.make_cluster, data, addresses.plan.database_password)
        postgres.remove_stale_lock(data)

    return Service(
        "postgres",
        command=lambda port: postgres.command(data, port),
        is_ready=lambda: postgres.is_ready(addresses.server_url),
        prepare=prepare,
        user=lambda: postgres.runner().user,
        # "Fast" shutdown: ends the sessions of clients, writes everything down. (SIGTERM would wait for the clients.)
        stop_signal=signal.SIGINT,
        patience=5.0,
    )


def _nats(layout: Layout, addresses: Addresses) -> Service:
    data = layout.data / "nats"

    async def prepare() -> None:
        data.mkdir(parents=True, exist_ok=True)

    return Service(
        "nats",
        command=lambda port: nats.command(data, port, addresses.plan.database),
        is_ready=lambda: nats.is_ready(addresses.nats_url),
        prepare=prepare,
        patience=3.0,
    )


def _models(addresses: Addresses) -> Service:
    async def is_ready() -> bool:
        return await http_status(f"{addresses.ollama_host}/api/version") == HTTP_OK

    module = "doctor.pipeline.sandbox.models"
    return Service(
        "models",
        command=lambda port: [sys.executable, "-P", "-m", module, "--port", str(port)],
        is_ready=is_ready,
        drain=5.0,
    )


def _keys(layout: Layout, addresses: Addresses) -> Service:
    async def is_ready() -> bool:
        return await http_status(f"{addresses.keys_url}/.well-known/openid-configuration") == HTTP_OK

    options = ["--key-file", str(layout.data / "signing_key.json")]
    module = "doctor.pipeline.sandbox.keys"
    return Service(
        "keys",
        command=lambda port: [sys.executable, "-P", "-m", module, "--port", str(port), *options],
        is_ready=is_ready,
    )


def _api(addresses: Addresses) -> Service:
    async def is_ready() -> bool:
        return await http_status(f"{addresses.api_url}/health") == HTTP_OK

    def command(port: int) -> list[str]:
        options = ("--host", "127.0.0.1", "--port", str(port), "--timeout-graceful-shutdown", "2", "--no-use-colors")
        return [sys.executable, "-m", "uvicorn", "app.main:app", *options]

    return Service("api", command=command, is_ready=is_ready, patience=3.0)


def _worker(addresses: Addresses) -> Service:
    def command(_: int) -> list[str]:
        # It ends by itself before it would be killed: its unfinished tasks then go back to the queue at once.
        options = ("--workers", "1", "--wait-tasks-timeout", "15")
        return [sys.executable, "-m", "taskiq", "worker", "app.broker:broker", "app.tasks", *options]

    return Service(
        "worker",
        command=command,
        is_ready=lambda: nats.worker_is_listening(addresses.nats_url),
        # TaskIQ's parent looks at its signals once a second; its child reacts at once when it is told directly.
        whole_group=True,
        # Each question is a connection to the queue, and Python takes a second to import the worker.
        ask_seconds=0.1,
        has_port=False,
        drain=20.0,
        is_busy=lambda: nats.worker_is_busy(addresses.nats_url),
    )
