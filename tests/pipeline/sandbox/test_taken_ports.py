"""Ports that somebody else has: another one is chosen before a sandbox is up, and waited for when it is."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from doctor.pipeline.sandbox import nats
from doctor.pipeline.sandbox.addresses import Addresses
from doctor.pipeline.sandbox.bringing_up import SERVICES_WITH_PORTS
from doctor.pipeline.sandbox.child import Child, Surroundings
from doctor.pipeline.sandbox.layout import Layout
from doctor.pipeline.sandbox.plan import make_plan
from doctor.pipeline.sandbox.ports import free_port
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.pipeline.sandbox.services import build_services
from doctor.pipeline.sandbox.state import SandboxState, ServiceState, ServiceStatus, Status


def occupy(port: int = 0) -> socket.socket:
    """Listen on a port of the loopback interface, as somebody else's server."""
    return socket.create_server(("127.0.0.1", port))


def test_a_sandbox_whose_ports_were_taken_meanwhile_comes_up_on_others(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox("moved")
    others = {name: occupy(free_port()) for name in SERVICES_WITH_PORTS}
    taken = {name: server.getsockname()[1] for name, server in others.items()}
    services = {name: ServiceState(name, ServiceStatus.STOPPED, port=port) for name, port in taken.items()}
    earlier = SandboxState(sandbox.name, str(sandbox.directory), Status.DOWN, services=services)
    sandbox.layout.state_file.write_text(json.dumps(earlier.to_json()))
    state = sandbox.up(with_parent=True)
    assert state.status is Status.READY
    now = {name: service.port for name, service in state.services.items() if service.port is not None}
    assert now.keys() == taken.keys()
    assert not set(now.values()) & set(taken.values())
    assert f":{now['nats']}" in sandbox.environment()["NATS_URL"]
    sandbox.down(keep_data=True)
    for server in others.values():
        server.close()


def test_a_port_that_is_taken_between_choice_and_start_is_given_up(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with occupy() as other:
        addresses = Addresses(make_plan("x", {}), dict.fromkeys(SERVICES_WITH_PORTS, other.getsockname()[1]))

        def new_port() -> int:
            addresses.ports["nats"] = free_port()
            return addresses.ports["nats"]

        async def start() -> int | None:
            place = Surroundings(tmp_path, tmp_path / "nats.log", dict)
            service = build_services(layout, addresses)["nats"]
            child = Child(service, addresses.ports["nats"], place, lambda: None)
            await child.first_start(new_port)
            assert await nats.is_ready(addresses.nats_url)
            await child.stop(5.0)
            return child.port

        layout.data.mkdir()
        port = asyncio.run(start())
        assert port == addresses.ports["nats"] != other.getsockname()[1]


def test_a_service_that_finds_its_port_taken_waits_for_it(running: Sandbox, eventually: Callable[..., None]) -> None:
    port = running.state().services["nats"].port
    assert port is not None
    running.stop("nats")
    with occupy(port):
        starting = threading.Thread(target=running.start, args=("nats",))
        starting.start()
        eventually(lambda: running.state().services["nats"].status is ServiceStatus.BACKOFF, "it cannot listen")
        assert "exit code 1" in running.state().services["nats"].detail
    starting.join()
    service = running.state().services["nats"]
    assert (service.status, service.port) == (ServiceStatus.READY, port)
    eventually(lambda: running.state().status is Status.READY, "all is well again")
