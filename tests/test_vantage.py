"""What can be said of an address from here, and with which command the rest is found out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from doctor.resources.environment import Environment
from doctor.resources.unreachable import Reason
from doctor.vantage import inside_container, loopback_of_a_container, seen_from_here, service_elsewhere

URL = "http://ollama:11434"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path, files=(), process_environment={"OLLAMA_PORT": "4711"})


async def nobody(_: str) -> bool:
    return False


async def everybody(_: str) -> bool:
    return True


async def test_a_bare_name_is_of_a_network_of_containers(environment: Environment):
    found = await seen_from_here(environment, URL, Reason.UNKNOWN_HOST, everybody, contained=False)
    assert found is not None
    assert found.at == "http://127.0.0.1:11434"
    assert "bare name" in found.why
    silent = await seen_from_here(environment, URL, Reason.UNKNOWN_HOST, nobody, contained=False)
    assert silent is not None
    assert silent.at == ""
    assert "docker run --rm --network NETWORK" in silent.command


async def test_in_a_container_a_bare_name_that_is_not_there_is_a_finding(environment: Environment):
    assert await seen_from_here(environment, URL, Reason.UNKNOWN_HOST, nobody, contained=True) is None


async def test_a_service_of_the_compose_file_is_looked_for_at_its_published_port(environment: Environment):
    (environment.root / "compose.yaml").write_text(
        "services: {ollama: {ports: ['${OLLAMA_PORT}:11434']}, api: {build: .}}"
    )
    asked = []

    async def note(url: str) -> bool:
        asked.append(url)
        return True

    for contained in (True, False):
        found = await seen_from_here(environment, URL, Reason.UNKNOWN_HOST, note, contained=contained)
        assert found is not None
        assert found.at == "http://127.0.0.1:4711"
        assert "service of compose.yaml" in found.why
        assert "docker compose exec api" in found.command
        assert ("compose.yaml", "service ollama, published on port 4711") in found.evidence
    assert set(asked) == {"http://127.0.0.1:4711"}


async def test_the_host_of_the_containers_means_nothing_outside(environment: Environment):
    url = "http://host.docker.internal:11434"
    found = await seen_from_here(environment, url, Reason.UNKNOWN_HOST, everybody, contained=False)
    assert found is not None
    assert found.at == "http://127.0.0.1:11434"
    assert await seen_from_here(environment, url, Reason.UNKNOWN_HOST, everybody, contained=True) is None


@pytest.mark.parametrize("url", ["http://models.example.com", "http://127.0.0.1:1", "http://localhost:1", "http://"])
async def test_other_hosts_can_be_judged(environment: Environment, url: str):
    assert await seen_from_here(environment, url, Reason.UNKNOWN_HOST, everybody, contained=False) is None


async def test_a_name_that_resolves_can_be_judged(environment: Environment):
    assert await seen_from_here(environment, URL, Reason.REFUSED, everybody, contained=False) is None


async def test_localhost_in_a_container_is_the_container(environment: Environment):
    url = "http://localhost:11434"
    around = await loopback_of_a_container(url, Reason.REFUSED, everybody, contained=True)
    assert around == "http://host.docker.internal:11434"
    assert await loopback_of_a_container(url, Reason.REFUSED, nobody, contained=True) == ""
    assert await loopback_of_a_container(url, Reason.REFUSED, everybody, contained=False) == ""
    assert await loopback_of_a_container(url, Reason.TIMEOUT, everybody, contained=True) == ""
    assert await loopback_of_a_container("http://db:1", Reason.REFUSED, everybody, contained=True) == ""


async def test_the_published_port_of_a_database_is_tried(environment: Environment):
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (environment.root / "compose.yaml").write_text(f"services: {{db: {{ports: ['{port}:5432']}}, api: {{build: .}}}}")
    found = await service_elsewhere(environment, "db:5432/app as app", Reason.UNKNOWN_HOST, contained=False)
    assert found is not None
    assert found.why.endswith(f"from here it answers at 127.0.0.1:{port}")
    assert "socket.create_connection(('db', 5432), 5)" in found.command
    server.close()
    await server.wait_closed()
    silent = await service_elsewhere(environment, "db:5432", Reason.UNKNOWN_HOST, contained=False)
    assert silent is not None
    assert silent.at == ""
    for address in ("db", "one:1,two:2", "db:5432,db:5433/app", ""):
        assert await service_elsewhere(environment, address, Reason.UNKNOWN_HOST, contained=False) is None


def test_a_container_is_known_by_what_it_leaves(tmp_path: Path):
    assert not inside_container(tmp_path)
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/1/cgroup").write_text("0::/init.scope\n")
    assert not inside_container(tmp_path)
    (tmp_path / "proc/1/cgroup").write_text("12:cpu:/kubepods/burstable/pod1\n")
    assert inside_container(tmp_path)
    (tmp_path / "proc/1/cgroup").unlink()
    (tmp_path / ".dockerenv").touch()
    assert inside_container(tmp_path)
