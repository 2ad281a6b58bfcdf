"""Processes by pid *and* start: recognising, freezing and ending them with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator

import psutil

from doctor.pipeline.sandbox.state import ProcessRecord, SandboxState

#: The signal that nothing can refuse.
KILL = signal.SIGKILL

#: Every process of a sandbox has this variable, with the id of the supervisor's run as its value.
RUN_VARIABLE = "DOCTOR_SANDBOX_RUN"

#: The start of a process is computed from the time of boot, which moves a little when the clock is set.
CREATED_TOLERANCE_SECONDS = 2.0


def record_of(pid: int) -> ProcessRecord | None:
    """Return the record of a running process; nothing when it is gone."""
    try:
        return ProcessRecord(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def find(record: ProcessRecord | None) -> psutil.Process | None:
    """Return the process of a record, unless it has ended or its pid belongs to another one now."""
    if record is None:
        return None
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.created) <= CREATED_TOLERANCE_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def with_descendants(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and everything below it; groups would miss PostgreSQL's backends, which have sessions."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return [process]


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to each; those that are gone are passed over."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def kill_group(group: int) -> None:
    """Kill what is left of a process group: members whose leader has died are nobody's descendants any more."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_run(state: SandboxState, run: str, *, patience: float = 5.0) -> int:
    """Kill everything that a supervisor's run has left: what it recorded, and what carries the run's variable.

    Returns how many processes there were. Waits until they are gone, at most ``patience`` seconds.
    """
    found = {process.pid: process for process in _recorded(state)}
    found.update((process.pid, process) for process in _marked(run))
    victims = {member.pid: member for process in found.values() for member in with_descendants(process)}
    victims.pop(os.getpid(), None)
    send(victims.values(), signal.SIGKILL)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and any(is_running(process) for process in victims.values()):
        time.sleep(0.02)
    return len(victims)


def is_running(process: psutil.Process) -> bool:
    """Tell whether a process still runs; one that waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _recorded(state: SandboxState) -> Iterator[psutil.Process]:
    for service in state.services.values():
        process = find(service.process)
        if process is not None:
            yield process


def _marked(run: str) -> Iterator[psutil.Process]:
    """Yield the processes whose environment names the run; those of other users cannot be read, and are not ours."""
    if not run:
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(RUN_VARIABLE) == run:
                yield process
