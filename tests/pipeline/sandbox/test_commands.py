"""The commands on real sandboxes: several at once, after a kill, in a folder with spaces and letters beyond ASCII."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doctor.pipeline.sandbox.locking import alone
from doctor.pipeline.sandbox.processes import find
from doctor.pipeline.sandbox.sandbox import Sandbox, list_sandboxes
from doctor.pipeline.sandbox.state import SandboxState, Status, read_state

DOCTOR = str(Path(sys.executable).with_name("doctor"))
#: Given servers would be used in place of the sandboxes' own.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.endswith(("_URL", "_HOST"))}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the sandboxes; all are taken down at the end."""
    folder = tmp_path_factory.mktemp("commands") / "Größe und Maß"
    yield folder
    for sandbox in list_sandboxes(folder):
        sandbox.down(keep_data=False)


def start(root: Path, *words: str) -> subprocess.Popen[str]:
    """Begin `doctor sandbox …`, as a terminal would: under ``nohup`` a hang-up is ignored, and that is inherited."""
    command = [DOCTOR, "sandbox", *words, "--root", str(root)]
    pipe = subprocess.PIPE
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True)
    finally:
        signal.signal(signal.SIGHUP, before)


def result(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; return exit code, standard output and standard error."""
    output, errors = process.communicate(timeout=90)
    return process.returncode, output, errors


def run(root: Path, *words: str) -> tuple[int, str, str]:
    return result(start(root, *words))


def kill_supervision(sandbox: Sandbox, eventually: Callable[..., None]) -> SandboxState:
    """Kill supervisor and guardian at once: nobody is left to stop the servers."""
    state = sandbox.state()
    assert state.guardian is not None
    assert state.supervisor is not None
    for record in (state.guardian, state.supervisor):
        os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: find(state.supervisor) is None, "the supervisor is gone")
    return state


def test_sandboxes_that_start_at_once_do_not_disturb_one_another(root: Path) -> None:
    starting = [start(root, "up", name) for name in ("one", "two", "one")]
    results = [result(process) for process in starting]
    assert results[1][0] == 0, results[1]
    # Of two that start the same one, one does it; the other says so, or finds it done.
    first, second = sorted((results[0], results[2]), key=lambda ended: ended[0])
    assert first[0] == 0, first
    assert second[0] == 0 or "another command" in second[2], second
    states = [Sandbox.open(root / name).state() for name in ("one", "two")]
    assert [state.status for state in states] == [Status.READY, Status.READY]
    ports = [service.port for state in states for service in state.services.values() if service.port]
    assert len(set(ports)) == len(ports) == 8
    assert run(root, "heal", "decorator-order", "two")[0] == 0  # it is not broken, and stays so
    assert Sandbox.open(root / "two").state().code_restarts == 0


def test_what_a_killed_sandbox_left_ends_with_the_next_command(
    root: Path, eventually: Callable[..., None], remains: Callable[[SandboxState], list[int]]
) -> None:
    sandbox = Sandbox.open(root / "one")
    for words, code, after in (
        (("status", "one"), 1, Status.DEAD),
        (("up", "one"), 0, Status.READY),
        (("list",), 0, Status.DEAD),
    ):
        sandbox.up()
        state = kill_supervision(sandbox, eventually)
        assert len(remains(state)) >= 5
        ended, _, errors = run(root, *words)
        assert ended == code, errors
        assert "sandbox one was killed: ended" in errors
        assert remains(state) == []
        assert sandbox.state().status is after


def test_a_folder_that_was_only_begun_is_completed(root: Path) -> None:
    folder = root / "begun"
    (folder / "data").mkdir(parents=True)
    (folder / "app").mkdir()
    (folder / "data" / "start.lock").touch()
    assert Sandbox.create(folder, name="begun", environment={}).state().status is Status.DOWN
    assert (folder / "app" / "main.py").is_file()
    with alone(folder / "data" / "start.lock") as only:
        assert only
        code, _, errors = run(root, "up", "begun")
    assert code == 2
    assert "is being started by another command" in errors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_start_that_is_ended_leaves_no_process(
    root: Path, eventually: Callable[..., None], remains: Callable[[SandboxState], list[int]], number: signal.Signals
) -> None:
    file = root / "three" / "sandbox.json"

    def state() -> SandboxState:
        return read_state(file) or SandboxState("", "", Status.DOWN)

    def is_under_way() -> bool:
        return state().status is Status.STARTING and state().services["nats"].process is not None

    for _ in range(5):
        starting = start(root, "up", "three")
        eventually(lambda: is_under_way() or starting.poll() is not None, "it is starting")  # noqa: B023
        starting.send_signal(signal.SIGSTOP)  # on a busy machine it may be through before it is looked at again
        if is_under_way():
            break
        starting.send_signal(signal.SIGCONT)
        assert result(starting)[0] == 0
        run(root, "down", "three")
    half_made = state()
    assert half_made.status is Status.STARTING
    starting.send_signal(number)
    starting.send_signal(signal.SIGCONT)
    code, _, _ = result(starting)
    assert code == (130 if number is signal.SIGINT else -number)
    eventually(lambda: not remains(half_made), "all processes are gone")
    eventually(lambda: Sandbox.open(root / "three").state().status is Status.DOWN, "an orderly end")


def test_down_leaves_neither_processes_nor_files(root: Path, remains: Callable[[SandboxState], list[int]]) -> None:
    for name in ("one", "two", "three"):
        state = Sandbox.open(root / name).state()
        code, output, _ = run(root, "down", name)
        assert (code, output) == (0, f"sandbox {name} is down\n")
        assert remains(state) == []
        assert not (root / name).exists()
