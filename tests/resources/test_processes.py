"""The target's processes, seen from outside: real ones, in a real folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from doctor.resources.environment import Environment
from doctor.resources.processes import Process, kind_of, stale

PROGRAM = "import time, sys\nprint('up', flush=True)\ntime.sleep(60)\n"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run a module of some name in the target's folder."""
    running: list[subprocess.Popen[str]] = []

    def run(module: str, *arguments: str, folder: Path | None = None) -> subprocess.Popen[str]:
        where = folder or tmp_path
        (where / f"{module}.py").write_text(PROGRAM)
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=where,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "command, kind",
    [
        ("python -m uvicorn app.main:app", "api"),
        ("/venv/bin/python /venv/bin/gunicorn -k uvicorn.workers.UvicornWorker app:app", "api"),
        ("fastapi run app", "api"),
        ("python -m taskiq worker app.broker:broker app.tasks", "worker"),
        ("/venv/bin/taskiq scheduler app:scheduler", "other"),
        ("celery -A app worker", "worker"),
        ("celery -A app beat", "other"),
        ("dramatiq app", "worker"),
        ("arq app.Settings", "worker"),
        ("bash", "other"),
        ("vim app/uvicorn.py", "other"),
    ],
)
def test_the_command_tells_an_api_from_a_worker(command: str, kind: str):
    assert kind_of(command.split()) == kind


def test_processes_of_the_target_are_found_with_kind_and_start(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]], tmp_path_factory: pytest.TempPathFactory
):
    before = datetime.now(UTC) - timedelta(seconds=2)
    api = start("uvicorn", "app.main:app", "--token", "hunter2")
    worker = start("taskiq", "worker", "app.broker:broker")
    elsewhere = start("uvicorn", "other:app", folder=tmp_path_factory.mktemp("elsewhere"))
    found = {process.pid: process for process in Environment(tmp_path).processes()}
    assert found[api.pid].kind == "api"
    assert found[worker.pid].kind == "worker"
    assert elsewhere.pid not in found
    assert before < found[api.pid].started_at < datetime.now(UTC) + timedelta(seconds=2)
    assert "hunter2" not in found[api.pid].command
    assert found[api.pid].parent == os.getpid()


def test_the_doctor_and_its_own_children_are_no_processes_of_the_target(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    helper = start("parser")
    pids = {process.pid for process in Environment(tmp_path).processes()}
    assert os.getpid() not in pids
    assert helper.pid not in pids


def test_a_process_older_than_a_file_runs_old_code(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]):
    api = start("uvicorn", "app.main:app")
    environment = Environment(tmp_path)
    source = tmp_path / "scoring.py"
    source.write_text("changed = True\n")
    os.utime(source, (time.time() - 3600,) * 2)
    assert environment.running_old_code(source) == ()
    os.utime(source, (time.time() + 1,) * 2)
    assert [process.pid for process in environment.running_old_code(Path("scoring.py"))] == [api.pid]
    assert environment.running_old_code(Path("gone.py")) == ()


def test_a_supervisor_is_not_old_when_its_children_are_new():
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    supervisor = Process(10, "worker", "taskiq worker", old)
    child = Process(11, "worker", "python -c from multiprocessing.spawn import …", new, parent=10)
    changed = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    assert stale([supervisor, child], changed) == ()
    assert stale([supervisor], changed) == (supervisor,)
    assert stale([Process(12, "other", "vim", old)], changed) == ()
