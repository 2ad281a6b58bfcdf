"""Running processes and the variables that they were started with, compared with the files and with one another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doctor.checks.process_environment_differs import process_environment_differs
from doctor.model import Finding, Observation
from doctor.resources.environment import Environment
from tests.command_line import environment as clean_environment

SLEEPER = "import time\n\nprint('ready', flush=True)\ntime.sleep(600)  # a stand-in: only its environment is read\n"
PROGRAMS = {"api": "uvicorn", "worker": "taskiq"}

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def run(kind: str, **variables: str) -> subprocess.Popen[str]:
        program = tmp_path / PROGRAMS[kind]
        program.write_text(SLEEPER)
        command = [sys.executable, str(program), "worker" if kind == "worker" else "app:app"]
        one = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=clean_environment(**variables)
        )
        started.append(one)
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
        return one

    yield run
    for one in started:
        one.kill()
        one.communicate()


def look(root: Path, text: str = "NATS_URL=nats://one.example:4222\n") -> list[Finding | Observation]:
    (root / ".env").write_text(text)
    return list(process_environment_differs.detect(environment=Environment(root, process_environment={})))


def test_a_process_that_runs_with_another_value_is_named_without_showing_secrets(tmp_path: Path, start: Start):
    worker = start("worker", NATS_URL="nats://app:hunter2hunter2@two.example:4222")
    (finding,) = look(tmp_path)
    assert isinstance(finding, Finding)
    assert finding.symptom == f"`NATS_URL` is another one in worker (pid {worker.pid}) than in .env:1"
    assert "hunter2" not in repr(finding)


def test_api_and_worker_that_run_with_different_addresses_are_named(tmp_path: Path, start: Start):
    start("api", NATS_URL="nats://one.example:4222")
    start("worker", NATS_URL="nats://two.example:4222")
    symptoms = [item.symptom for item in look(tmp_path) if isinstance(item, Finding)]
    assert "API and worker run with different values of `NATS_URL`" in symptoms
    assert len(symptoms) == 2


def test_the_same_place_from_two_sides_and_what_is_a_process_own_agree(tmp_path: Path, start: Start):
    start("api", NATS_URL="nats://localhost:4222", LOG_LEVEL="INFO")
    start("worker", NATS_URL="nats://127.0.0.1:4222", LOG_LEVEL="DEBUG")
    (seen,) = look(tmp_path, "NATS_URL=nats://localhost:4222\n")
    assert isinstance(seen, Observation)
    assert seen.text == "1 variable of running processes compared"


def test_a_process_that_reads_the_file_itself_has_nothing_to_compare(tmp_path: Path, start: Start):
    start("worker")
    (seen,) = look(tmp_path)
    assert isinstance(seen, Observation)
