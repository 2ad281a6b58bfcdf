"""The order in which a sandbox comes up: what needs nothing at once, then what needs it."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Awaitable, Callable, Mapping

from nats.errors import Error as NatsError

from doctor.pipeline.sandbox import nats, postgres
from doctor.pipeline.sandbox.addresses import Addresses, as_dotenv, without_password
from doctor.pipeline.sandbox.child import Child
from doctor.pipeline.sandbox.errors import StartError
from doctor.pipeline.sandbox.files import replace_text, tail
from doctor.pipeline.sandbox.layout import CODE_SERVICES, Layout
from doctor.pipeline.sandbox.plan import Plan
from doctor.pipeline.sandbox.ports import free_port, is_free
from doctor.pipeline.sandbox.readiness import http_status
from doctor.pipeline.sandbox.services import schema_command
from doctor.pipeline.sandbox.state import SandboxState

SERVICES_WITH_PORTS = ("postgres", "nats", "models", "api")
#: A server that was given must be there already; this is for the moment in which it starts.
GIVEN_PATIENCE_SECONDS = 2.0


def choose_ports(plan: Plan, earlier: SandboxState | None) -> dict[str, int]:
    """Choose a port for each service of the sandbox's own: that of the last time where it is still free.

    Raises:
        OSError: there are no free ports.
    """
    ports: dict[str, int] = {}
    for name in (*SERVICES_WITH_PORTS, *(("keys",) if plan.secret_key else ())):
        if name in plan.given:
            continue
        service = earlier.services.get(name) if earlier is not None else None
        port = service.port if service is not None else None
        if port is None or port in ports.values() or not is_free(port):
            port = free_port(taken=set(ports.values()))
        ports[name] = port
    return ports


async def bring_up(
    layout: Layout,
    addresses: Addresses,
    children: Mapping[str, Child],
    environment: Callable[[], Mapping[str, str]],
    before_code: Callable[[], None],
) -> None:
    """Start everything and return when all of it is ready.

    Args:
        environment: of a process of the sandbox.
        before_code: called right before API and worker start, to note which code they run.

    Raises:
        StartError: a process did not come up, or a server that was given is not there.
        OSError: a file cannot be written, a program cannot be run.
    """
    layout.logs.mkdir(parents=True, exist_ok=True)
    await asyncio.gather(
        _database(layout, addresses, children, environment),
        _queue(layout, addresses, children),
        _models(addresses, children),
        *(_start(children[name], addresses) for name in ("keys",) if name in children),
    )
    replace_text(layout.env_file, as_dotenv(addresses.variables()), mode=0o600)
    before_code()
    await asyncio.gather(*(_start(children[name], addresses) for name in CODE_SERVICES))
    # The port of the API is in it too, and may have changed.
    replace_text(layout.env_file, as_dotenv(addresses.variables()), mode=0o600)


async def _start(child: Child, addresses: Addresses) -> None:
    def new_port() -> int:
        addresses.ports[child.service.name] = free_port(taken=set(addresses.ports.values()))
        return addresses.ports[child.service.name]

    await child.first_start(new_port)


async def _database(
    layout: Layout, addresses: Addresses, children: Mapping[str, Child], environment: Callable[[], Mapping[str, str]]
) -> None:
    if "postgres" in children:
        await _start(children["postgres"], addresses)
    else:
        await _await_given("DATABASE_URL", addresses.server_url, lambda: postgres.is_ready(addresses.server_url))
    await postgres.create_database(addresses.server_url, addresses.plan.database)
    await _apply_schema(layout, environment())


async def _apply_schema(layout: Layout, environment: Mapping[str, str]) -> None:
    log_file = layout.log("schema")
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *schema_command(),
            cwd=layout.directory,
            env=dict(environment),
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
    if code != 0:
        raise StartError(f"the schema could not be applied. The end of {log_file}:\n{tail(log_file)}")


async def _queue(layout: Layout, addresses: Addresses, children: Mapping[str, Child]) -> None:
    if "nats" in children:
        await _start(children["nats"], addresses)
        return
    url = addresses.nats_url
    await _await_given("NATS_URL", url, lambda: nats.is_ready(url))
    ours = layout.data / "nats" / "stream_is_ours"
    try:
        if not ours.exists() and await nats.stream_exists(url):
            raise StartError(
                f"the NATS server of NATS_URL has a stream {nats.STREAM!r} already: the sandbox would take the tasks "
                "of whoever owns it. Unset NATS_URL, or give a server of its own"
            )
    except (NatsError, OSError, TimeoutError) as error:
        raise StartError(f"the NATS server of NATS_URL cannot be asked for its streams: {error}") from error
    ours.parent.mkdir(parents=True, exist_ok=True)
    ours.touch()


async def _models(addresses: Addresses, children: Mapping[str, Child]) -> None:
    if "models" in children:
        await _start(children["models"], addresses)
        return

    async def is_ready() -> bool:
        return await http_status(f"{addresses.ollama_host}/api/version") is not None

    await _await_given("OLLAMA_HOST", addresses.ollama_host, is_ready)


async def _await_given(variable: str, url: str, is_ready: Callable[[], Awaitable[bool]]) -> None:
    """Wait a moment for a server that was given.

    Raises:
        StartError: it does not answer.
    """
    try:
        async with asyncio.timeout(GIVEN_PATIENCE_SECONDS):
            while not await is_ready():  # noqa: ASYNC110 - only the other side knows
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise StartError(
            f"{variable} is set, but nothing usable answers at {without_password(url)}: "
            f"start it, or unset {variable} to have the sandbox start its own"
        ) from None
