"""Real sandboxes and a real stand-in for the tests of the sandbox; each is ended with the session, whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from doctor.pipeline.sandbox.ports import free_port
from doctor.pipeline.sandbox.processes import RUN_VARIABLE, find
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.pipeline.sandbox.state import SandboxState

# Nothing of the caller's environment: the sandboxes of the tests have servers of their own.
NO_SERVERS_GIVEN: dict[str, str] = {}


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """Wait until something holds; fails with a sentence when it does not in time."""

    def wait(holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}"
            time.sleep(0.03)

    return wait


@pytest.fixture(scope="session")
def make_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sandbox]]:
    """Make sandboxes that are not started yet; all are taken down at the end."""
    made: list[Sandbox] = []

    def make(folder: str = "sandbox", environment: dict[str, str] | None = None) -> Sandbox:
        directory = tmp_path_factory.mktemp("sandboxes") / folder
        sandbox = Sandbox.create(directory, name=folder, environment=environment or NO_SERVERS_GIVEN)
        made.append(sandbox)
        return sandbox

    yield make
    for sandbox in made:
        if sandbox.layout.plan_file.exists():
            sandbox.down(keep_data=True)


@pytest.fixture(scope="session")
def running(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """One sandbox for all tests that leave it as they found it; its folder has spaces and letters beyond ASCII."""
    sandbox = make_sandbox("Größe und Maß")
    sandbox.up(with_parent=True)
    return sandbox


@pytest.fixture
def remains() -> Callable[[SandboxState], list[int]]:
    """Return the pids that are left of a sandbox: those it recorded, and those that carry its run's variable."""

    def look(state: SandboxState) -> list[int]:
        records = [state.supervisor, state.guardian, *(service.process for service in state.services.values())]
        left = {record.pid for record in records if record is not None and find(record) is not None}
        for process in psutil.process_iter():
            try:
                if process.environ().get(RUN_VARIABLE) == state.run and process.status() != psutil.STATUS_ZOMBIE:
                    left.add(process.pid)
            except (psutil.Error, OSError):
                continue
        return sorted(left)

    return look


@pytest.fixture(scope="session")
def stand_in_url() -> Iterator[str]:
    """The stand-in as a process of its own, on a free port."""
    port = free_port()
    command = [sys.executable, "-m", "doctor.pipeline.sandbox.models", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(os.sep)) as process:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 20
        while True:
            try:
                httpx.get(f"{url}/api/version", timeout=2, trust_env=False)
                break
            except httpx.TransportError:
                assert time.monotonic() < until, "the stand-in does not start"
                time.sleep(0.03)
        yield url
        process.terminate()


@pytest.fixture
def stand_in(stand_in_url: str) -> Iterator[httpx.Client]:
    """A client of the stand-in, which behaves well when a test begins and has its default models."""
    with httpx.Client(base_url=stand_in_url, timeout=10, trust_env=False) as client:
        yield client
        client.delete("/_stand_in/behaviour").raise_for_status()
        names = {model["name"] for model in client.get("/api/tags").json()["models"]}
        for name in names - {"qwen2:7b-instruct-q4_K_M", "qwen3:8b", "deepseek-r1:7b", "nomic-embed-text:latest"}:
            client.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()
