"""Starting a supervisor and ending one, from the outside."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from doctor.pipeline.sandbox import processes
from doctor.pipeline.sandbox.control import RELEASE
from doctor.pipeline.sandbox.errors import DeadlineError, StartError
from doctor.pipeline.sandbox.files import tail
from doctor.pipeline.sandbox.layout import Layout
from doctor.pipeline.sandbox.state import SandboxState, ServiceStatus, Status, read_state

POLL_SECONDS = 0.03
#: How long an orderly stop may take before what is left is killed.
STOP_PATIENCE_SECONDS = 12.0

#: Supervisors that this process has started, by folder. Kept here and not in the sandbox's object: with a parent, the
#: sandbox lives as long as the pipe that is in here, that is as long as this process.
_started: dict[Path, subprocess.Popen[bytes]] = {}


def launch(layout: Layout) -> subprocess.Popen[bytes]:
    """Start the supervisor in a session of its own, so that Ctrl-C reaches it only through us.

    It ends with this process until it is released: what is only half made must not outlive whoever makes it.
    """
    # -P: nothing in the folder from which we were called may pass for a module of ours.
    module = "doctor.pipeline.sandbox.supervisor"
    command = [sys.executable, "-P", "-m", module, str(layout.directory), "--with-parent"]
    layout.logs.mkdir(parents=True, exist_ok=True)
    with layout.log("supervisor").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=layout.directory,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    _started[layout.directory] = process
    return process


def release(layout: Layout) -> None:
    """Let the supervisor that this process has started outlive it."""
    own = _started.get(layout.directory)
    if own is not None and own.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it has ended; its state says why
            own.stdin.write(RELEASE)
            own.stdin.close()


def await_ready(
    layout: Layout, process: subprocess.Popen[bytes], deadline: float, progress: Callable[[str], None]
) -> SandboxState:
    """Wait until all is ready, and tell what has become ready.

    Args:
        deadline: seconds.
        progress: called with one line for each service.

    Raises:
        StartError: the supervisor gave up; its reason is in the message.
        DeadlineError: it takes longer.
    """
    started = time.monotonic()
    told: set[str] = set()
    while time.monotonic() - started < deadline:
        ended = process.poll() is not None
        state = read_state(layout.state_file)
        if state is not None and state.supervisor is not None and state.supervisor.pid == process.pid:
            for name, service in state.services.items():
                if service.status is ServiceStatus.READY and name not in told:
                    told.add(name)
                    where = f" on port {service.port}" if service.port else ""
                    progress(f"{name} ready{where} after {time.monotonic() - started:.1f} s")
            if state.status in {Status.READY, Status.DEGRADED}:
                return state
        if ended:
            reason = state.detail if state is not None and state.status is Status.FAILED else ""
            raise StartError(reason or f"the supervisor ended: {tail(layout.log('supervisor'))}")
        time.sleep(POLL_SECONDS)
    waiting = [name for name, service in _services(layout).items() if service is not ServiceStatus.READY]
    raise DeadlineError(
        f"not ready after {deadline:.0f} s; waiting for {', '.join(waiting) or 'the schema'}; see {layout.logs}"
    )


def stop(layout: Layout) -> None:
    """End the supervisor and all that it started, in order where it can, by force where it cannot."""
    state = read_state(layout.state_file)
    supervisor = processes.find(state.supervisor) if state is not None else None
    if supervisor is not None:
        supervisor.terminate()
        _await_end(layout, state, STOP_PATIENCE_SECONDS)
    _reap(layout)
    clear_leftovers(layout)


def clear_leftovers(layout: Layout) -> int:
    """Kill what a supervisor that is gone has left; returns how many processes that were."""
    state = read_state(layout.state_file)
    if state is None or (state.supervisor is None and not any(s.process for s in state.services.values())):
        return 0
    supervisor = processes.find(state.supervisor)
    if supervisor is not None:
        processes.send([supervisor], processes.KILL)
    return processes.kill_run(state, state.run)


def _await_end(layout: Layout, state: SandboxState | None, patience: float) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until and state is not None and processes.find(state.supervisor) is not None:
        time.sleep(POLL_SECONDS)
        own = _started.get(layout.directory)
        if own is not None:
            own.poll()


def _reap(layout: Layout) -> None:
    """Forget a supervisor that this process has started and that has ended."""
    own = _started.pop(layout.directory, None)
    if own is None:
        return
    if own.stdin is not None:
        own.stdin.close()
    try:
        own.wait(timeout=STOP_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        own.kill()
        own.wait()


def _services(layout: Layout) -> dict[str, ServiceStatus]:
    state = read_state(layout.state_file)
    return {} if state is None else {name: service.status for name, service in state.services.items()}
