"""The target's running processes: which are its API and its workers, and which of them still run old code."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from doctor.late import psutil
from doctor.redaction import bounded, redact

Kind: TypeAlias = Literal["api", "worker", "other"]

API_SERVERS = frozenset({"uvicorn", "gunicorn", "hypercorn", "fastapi", "granian", "daphne"})
WORKERS = {
    "taskiq": frozenset({"worker"}),
    "celery": frozenset({"worker"}),
    "dramatiq": frozenset[str](),
    "arq": frozenset[str](),
    "rq": frozenset({"worker", "worker-pool"}),
    "faststream": frozenset({"run"}),
    "huey_consumer": frozenset[str](),
    "huey_consumer.py": frozenset[str](),
}
"""Programs that run tasks, and the subcommands (none: any) under which they do. A scheduler or monitor is no worker."""

TICK = 0.02
"""Seconds by which the start of a process may be wrong: two ticks of the kernel's clock."""

COMMAND_LIMIT = 300
"""Characters kept of a command line."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the target. ``command`` is redacted and cut, ``started_at`` is aware (UTC)."""

    pid: int
    kind: Kind
    command: str
    started_at: datetime
    parent: int | None = None


def processes_of(root: Path) -> tuple[Process, ...]:
    """Return the processes that work in ``root`` or name a path in it, by pid.

    Seen are those of the same user (root: all). This process and its ancestors are left out, and of its children those
    that neither serve nor work: they are the doctor's own.
    """
    own = psutil.Process()
    family = {own.pid, *(process.pid for process in own.parents())}
    children = {child.pid for child in own.children(recursive=True)}
    found = [
        seen
        for process in psutil.process_iter()
        if process.pid not in family and (seen := _look_at(process, root)) is not None
    ]
    kept = [one for one in _with_inherited_kinds(found) if one.kind != "other" or one.pid not in children]
    return tuple(sorted(kept, key=lambda process: process.pid))


def variables_of(pid: int, names: Collection[str]) -> dict[str, str]:
    """Return the named variables of the environment that a process was started with.

    None of a process that is gone, or of somebody else's.
    """
    try:
        found = psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return {}
    return {name: found[name] for name in names if name in found}


def stale(processes: Sequence[Process], changed: float) -> tuple[Process, ...]:
    """Return the API and worker processes that started before ``changed`` (seconds since the epoch).

    A supervisor (of ``--reload``, of several workers) does not run the application itself: its children count.
    """
    supervisors = {process.parent for process in processes if process.kind != "other"}
    moment = datetime.fromtimestamp(changed - TICK, UTC)
    return tuple(
        process
        for process in processes
        if process.kind != "other" and process.pid not in supervisors and process.started_at < moment
    )


def kind_of(arguments: Sequence[str]) -> Kind:
    """Tell an API server and a worker by their command line."""
    words = [Path(argument).name for argument in arguments[:12]]
    for position, word in enumerate(words):
        if word in API_SERVERS:
            return "api"
        subcommands = WORKERS.get(word)
        if subcommands is not None and (not subcommands or subcommands.intersection(words[position + 1 :])):
            return "worker"
    return "other"


def _look_at(process: psutil.Process, root: Path) -> Process | None:
    try:
        with process.oneshot():
            arguments = process.cmdline()
            if not arguments or process.status() == psutil.STATUS_ZOMBIE:
                return None
            folder = process.cwd()
            if not (_is_inside(folder, root) or any(_is_inside(argument, root) for argument in arguments)):
                return None
            return Process(
                pid=process.pid,
                kind=kind_of(arguments),
                command=bounded(redact(shlex.join(arguments)), COMMAND_LIMIT),
                started_at=_started_at(process),
                parent=process.ppid(),
            )
    except (psutil.Error, OSError):  # gone in the meantime, or somebody else's
        return None


def _started_at(process: psutil.Process) -> datetime:
    """Return when a process started.

    On Linux the kernel counts from boot; psutil adds a boot time in whole seconds, so that a process seems up to a
    second older than the file that it has just read. The clock that counts since boot makes it exact to 10 ms.
    """
    created = process.create_time()
    if hasattr(time, "CLOCK_BOOTTIME"):
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        created += booted - psutil.boot_time()
    return datetime.fromtimestamp(created, UTC)


def _is_inside(path: str, root: Path) -> bool:
    return path.startswith("/") and Path(path).is_relative_to(root)


def _with_inherited_kinds(processes: Iterable[Process]) -> list[Process]:
    """Give processes started through multiprocessing the kind of whoever started them."""
    found = list(processes)
    kinds = {process.pid: process.kind for process in found}
    return [
        replace(process, kind=kinds.get(process.parent or 0, "other"))
        if process.kind == "other" and "multiprocessing.spawn" in process.command
        else process
        for process in found
    ]
