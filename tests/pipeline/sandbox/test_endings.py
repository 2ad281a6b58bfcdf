"""However a sandbox ends, nothing of it is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from doctor.pipeline.sandbox.errors import NotRunningError
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.pipeline.sandbox.state import SandboxState, Status

PARENT = """
import sys, pathlib
from doctor.pipeline.sandbox.sandbox import Sandbox
Sandbox.open(pathlib.Path(sys.argv[1])).up(with_parent=sys.argv[2] == "with-parent")
print("up", flush=True)
sys.stdin.read()
"""


def start_elsewhere(sandbox: Sandbox, how: str) -> subprocess.Popen[str]:
    """Have another process start the sandbox, and wait until it has."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(sandbox.directory), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def close(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


def test_a_killed_parent_takes_its_sandbox_along(
    make_sandbox: Callable[..., Sandbox], eventually: Callable[..., None], remains: Callable[[SandboxState], list[int]]
) -> None:
    sandbox = make_sandbox("parent")
    parent = start_elsewhere(sandbox, "with-parent")
    state = sandbox.state()
    assert len(remains(state)) >= 7
    close(parent)
    eventually(lambda: not remains(state), "all processes are gone")
    assert sandbox.state().status is Status.DOWN
    assert not (sandbox.layout.data / "postgres" / "postmaster.pid").exists()


def test_without_a_parent_it_runs_on_and_a_killed_supervisor_takes_all_along(
    make_sandbox: Callable[..., Sandbox], eventually: Callable[..., None], remains: Callable[[SandboxState], list[int]]
) -> None:
    sandbox = make_sandbox("alone")
    close(start_elsewhere(sandbox, "without"))
    state = sandbox.state()
    assert state.status is Status.READY
    assert state.supervisor is not None
    # Frozen processes cannot end by themselves.
    sandbox.pause("worker")
    sandbox.pause("postgres")
    os.kill(state.supervisor.pid, signal.SIGKILL)
    eventually(lambda: not remains(state), "all processes are gone")
    assert sandbox.state().status is Status.DEAD
    with pytest.raises(NotRunningError, match="is dead: start it"):
        sandbox.stop("nats")
    # Its data is whole.
    sandbox.up(with_parent=True)
    with sandbox.connect() as connection:
        assert connection.execute("SELECT name FROM agent_configs").fetchone() == ("knowledge_extractor",)
    sandbox.down(keep_data=False)
    assert not sandbox.directory.exists()


def test_what_a_killed_supervisor_and_guardian_leave_the_next_command_clears(
    make_sandbox: Callable[..., Sandbox], eventually: Callable[..., None], remains: Callable[[SandboxState], list[int]]
) -> None:
    sandbox = make_sandbox("both")
    close(start_elsewhere(sandbox, "without"))
    state = sandbox.state()
    assert state.guardian is not None
    assert state.supervisor is not None
    worker = state.services["worker"].process
    assert worker is not None
    for pid in (state.guardian.pid, state.supervisor.pid, worker.pid):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(state.supervisor.pid if state.supervisor else 0), "the supervisor is gone")
    assert remains(state), "the servers run on, with the child of the killed worker"
    sandbox.down(keep_data=True)
    assert remains(state) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(
    make_sandbox: Callable[..., Sandbox],
    eventually: Callable[..., None],
    remains: Callable[[SandboxState], list[int]],
    number: signal.Signals,
) -> None:
    sandbox = make_sandbox(number.name)
    close(start_elsewhere(sandbox, "without"))
    state = sandbox.state()
    assert state.supervisor is not None
    os.kill(state.supervisor.pid, number)
    eventually(lambda: not remains(state), "all processes are gone")
    assert sandbox.state().status is Status.DOWN
    assert "shutting down" in sandbox.layout.log("postgres").read_text()


def test_an_interrupted_start_leaves_nothing(
    make_sandbox: Callable[..., Sandbox], remains: Callable[[SandboxState], list[int]]
) -> None:
    sandbox = make_sandbox("interrupted")

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sandbox.up(with_parent=False, progress=interrupt)
    assert remains(sandbox.state()) == []
    assert sandbox.state().status is Status.DOWN


def test_a_second_supervisor_of_the_same_folder_goes_away(running: Sandbox) -> None:
    command = [sys.executable, "-m", "doctor.pipeline.sandbox.supervisor", str(running.directory)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 3
    assert "another supervisor" in ended.stderr
    assert running.state().status is Status.READY
