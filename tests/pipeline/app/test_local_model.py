"""The server listens at once, whatever becomes of its local model; with the fault C17 it does not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import doctor.pipeline.app
from doctor.pipeline.sandbox.code_edit import exchange
from doctor.pipeline.sandbox.faults.blocking_download import EDITS, FILE

from .hub_stand_in import COMMIT, FILES, REPOSITORY, Hub, serving_hub
from .servers import answers, free_port, wait_until

SOURCE = Path(doctor.pipeline.app.__file__).parent
Started = Callable[..., "Application"]


class Application:
    """A copy of the application in a process of its own; the Hub's client reads its variables when it is imported."""

    def __init__(self, folder: Path, variables: dict[str, str], *, broken: bool) -> None:
        shutil.copytree(SOURCE, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
        if broken:
            exchange(folder / "app" / FILE, EDITS)
        self.port = free_port()
        command = [sys.executable, "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", str(self.port)]
        self.log = folder / "api.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)

    def local_model(self) -> Any:
        return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=10).json()["local_model"]

    def await_state(self, state: str) -> Any:
        def reached() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return bool(self.local_model()["state"] == state)
            return False

        wait_until(reached, f"{state}: {self.log.read_text()}")
        return self.local_model()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


@pytest.fixture
def started(environment: dict[str, str], tmp_path: Path) -> Iterator[Started]:
    """Start the application with the Hub at an address."""
    running: list[Application] = []

    def start(hub_url: str, *, broken: bool = False, **more: str) -> Application:
        variables = {
            **os.environ,
            **environment,
            "LOCAL_MODEL": REPOSITORY,
            "LOCAL_MODEL_RETRY_SECONDS": "0.2",
            "HF_ENDPOINT": hub_url,
            "HF_HOME": str(tmp_path / "hub"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": "",
            **more,
        }
        running.append(Application(tmp_path / "copy", variables, broken=broken))
        return running[-1]

    yield start
    for application in running:
        application.process.kill()
        application.process.wait()


@pytest.fixture
def silent_hub() -> Iterator[Hub]:
    with serving_hub(silent=True) as hub:
        yield hub


def test_a_model_is_fetched_in_the_background_and_then_ready(started: Started, tmp_path: Path) -> None:
    with serving_hub() as hub:
        application = started(hub.url)
        assert application.await_state("ready") == {"name": REPOSITORY, "state": "ready", "detail": None}
    (snapshot,) = (tmp_path / "hub").rglob(f"snapshots/{COMMIT}")
    assert {path.name: path.read_bytes() for path in snapshot.iterdir()} == FILES


def test_the_server_listens_and_stops_while_the_network_is_silent(started: Started, silent_hub: Hub) -> None:
    application = started(silent_hub.url)
    assert application.await_state("loading")["detail"] is None
    wait_until(silent_hub.asked, "the hub is asked")
    assert application.local_model()["state"] == "loading"
    application.stop()
    assert "Finished server process" in application.log.read_text()


def test_a_network_that_comes_back_is_tried_again(started: Started) -> None:
    port = free_port()
    application = started(f"http://127.0.0.1:{port}")
    assert "refused" in application.await_state("failed")["detail"]
    with serving_hub(port):
        assert application.await_state("ready")["detail"] is None


def test_with_a_model_in_the_cache_no_network_is_needed(started: Started, tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    for name, body in FILES.items():
        (folder / "snapshots" / COMMIT / name).write_bytes(body)
    application = started("http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert application.await_state("ready")["name"] == REPOSITORY


def test_without_a_local_model_nothing_is_fetched(started: Started, silent_hub: Hub) -> None:
    application = started(silent_hub.url, LOCAL_MODEL="")
    wait_until(lambda: answers(application.port), application.log.read_text())
    assert application.local_model() is None
    assert not silent_hub.asked()


def test_the_fault_keeps_the_server_from_listening(started: Started, silent_hub: Hub) -> None:
    application = started(silent_hub.url, broken=True)
    wait_until(silent_hub.asked, "the hub is asked")
    assert not answers(application.port)
    silent_hub.answer_at_last()
    assert application.await_state("ready")["name"] == REPOSITORY
