"""One service while it runs: started, awaited, restarted when it dies, frozen and stopped on request."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil

from doctor.pipeline.sandbox import processes
from doctor.pipeline.sandbox.errors import SandboxError, StartError
from doctor.pipeline.sandbox.files import tail
from doctor.pipeline.sandbox.services import Service
from doctor.pipeline.sandbox.state import ServiceState, ServiceStatus

#: How long a service waits before it is started again, by how often it has died in a row.
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
#: Who has run this long did not die of its start: the count begins anew.
STABLE_SECONDS = 20.0
POLL_SECONDS = 0.03
LOOK_AGAIN_SECONDS = 0.5
#: What a start comes to, one way or the other.
SETTLED = frozenset({ServiceStatus.READY, ServiceStatus.BACKOFF, ServiceStatus.FAILED, ServiceStatus.STOPPED})


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a process runs: its working directory, log file and environment (asked for at each start)."""

    directory: Path
    log: Path
    environment: Callable[[], Mapping[str, str]]


class Child:
    """Keeps one service running. ``changed`` is called after every change of :attr:`state`."""

    def __init__(self, service: Service, port: int | None, place: Surroundings, changed: Callable[[], None]) -> None:
        self.service = service
        self.port = port
        self.state = ServiceState(service.name, ServiceStatus.WAITING, port=port)
        self._place = place
        self._changed = changed
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._asked_to_stop = asyncio.Event()
        self._settled = asyncio.Event()

    async def start(self) -> None:
        """Start the service, or let it go on when it is frozen; returns before it is ready."""
        if self.state.status is ServiceStatus.PAUSED:
            processes.send(self._tree(), signal.SIGCONT)
            self._note(ServiceStatus.READY)
            return
        if self._keeper is None or self._keeper.done():
            self._asked_to_stop.clear()
            self._note(ServiceStatus.STARTING)
            self._keeper = asyncio.create_task(self._keep_running(), name=f"keep {self.service.name}")

    async def first_start(self, new_port: Callable[[], int], attempts: int = 3) -> None:
        """Start the service and wait until it is ready; on another port when it dies before, as when its port is taken.

        Raises:
            StartError: it died again and again, with the end of its log.
        """
        detail = ""
        for attempt in range(1, attempts + 1):
            await self.start()
            if await self._ready_or_dead():
                return
            detail = self.state.detail
            await self.stop(0.0)
            if attempt < attempts and self.service.has_port:
                self.port = new_port()
        self._note(ServiceStatus.FAILED, detail=detail)
        log = tail(self._place.log)
        raise StartError(f"{self.service.name}: {detail}. The end of {self._place.log}:\n{log}")

    async def _ready_or_dead(self) -> bool:
        """Wait for the first of: ready (true), died once (false)."""
        await self._settled.wait()
        return self.state.status is ServiceStatus.READY

    async def pause(self) -> None:
        """Freeze the service and all its processes: connections stay open, nothing answers."""
        if self.state.status is ServiceStatus.READY:
            # Status first: a frozen service must not look ready to anyone who waits.
            self._note(ServiceStatus.PAUSED)
            processes.send(self._tree(), signal.SIGSTOP)

    async def stop(self, patience: float, drain: float = 0.0) -> None:
        """Ask the service to end; kill it after ``patience`` seconds, or ``drain`` seconds while it is busy."""
        keeper = self._keeper
        if keeper is None or keeper.done():
            self._note(ServiceStatus.STOPPED)
            return
        self._asked_to_stop.set()
        self._note(ServiceStatus.STOPPING)
        if self._process is not None and self._process.returncode is None:
            await self._end(self._process, patience, drain)
        await keeper
        self._note(ServiceStatus.STOPPED)

    async def _end(self, process: Process, patience: float, drain: float) -> None:
        """Ask for the end, look for processes that began after that, and kill what is left in the end."""
        clock = asyncio.get_running_loop().time
        waiting = asyncio.ensure_future(process.wait())
        deadline, last, next_look = clock() + patience, clock() + drain, clock()
        tree: list[psutil.Process] = []
        asked: set[int] = set()
        while not waiting.done():
            if clock() >= next_look:
                tree = self._tree()
                # A parent that is asked while it starts a child may not pass the request on.
                self._ask(tree, asked)
                next_look = clock() + LOOK_AGAIN_SECONDS
            children = tree[1:] if self.service.whole_group else []
            # When all that did work has ended by itself, the parent would only sleep on.
            if children and not any(map(processes.is_running, children)):
                break
            if clock() >= deadline:
                if clock() >= last or not await self._is_busy():
                    break
                deadline = clock() + LOOK_AGAIN_SECONDS
            await asyncio.wait({waiting}, timeout=POLL_SECONDS)
        processes.send(tree, signal.SIGKILL)
        await waiting

    async def _is_busy(self) -> bool:
        return self.service.is_busy is not None and await self.service.is_busy()

    def _ask(self, tree: list[psutil.Process], asked: set[int]) -> None:
        concerned = tree if self.service.whole_group else tree[:1]
        processes.send([member for member in concerned if member.pid not in asked], self.service.stop_signal)
        processes.send(tree, signal.SIGCONT)
        asked.update(member.pid for member in concerned)

    async def _keep_running(self) -> None:
        deaths = 0
        while not self._asked_to_stop.is_set():
            started = asyncio.get_running_loop().time()
            try:
                code = await self._run_once()
                detail = f"ended with {_spoken(code)}"
            except (OSError, SandboxError) as error:
                detail = str(error)
            if self._asked_to_stop.is_set():
                return
            deaths = 0 if asyncio.get_running_loop().time() - started > STABLE_SECONDS else deaths + 1
            pause = BACKOFF_SECONDS[min(deaths, len(BACKOFF_SECONDS)) - 1] if deaths else BACKOFF_SECONDS[0]
            self.state = dataclasses.replace(self.state, restarts=self.state.restarts + 1)
            self._note(ServiceStatus.BACKOFF, detail=detail)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked_to_stop.wait(), pause)
            if not self._asked_to_stop.is_set():
                self._note(ServiceStatus.STARTING, detail=detail)

    async def _run_once(self) -> int:
        """Run the service until it ends; returns its exit code, negative for a signal.

        Raises:
            OSError, SandboxError: it could not be started.
        """
        if self.service.prepare is not None:
            await self.service.prepare()
        if self._asked_to_stop.is_set():
            return 0
        process = await self._spawn()
        self._process = process
        record = processes.record_of(process.pid)
        self.state = dataclasses.replace(
            self.state, process=record, port=self.port, started_at=datetime.now(UTC).isoformat(timespec="milliseconds")
        )
        self._changed()
        becoming_ready = asyncio.create_task(self._await_ready())
        try:
            code = await process.wait()
        finally:
            await _cancelled(becoming_ready)
        # Children outlive a parent that was killed; a second set of them beside the next start would do the work twice.
        processes.kill_group(process.pid)
        self.state = dataclasses.replace(self.state, process=None)
        return code

    async def _spawn(self) -> Process:
        user = self.service.user() if self.service.user is not None else None
        with self._place.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.service.command(self.port or 0),
                cwd=self._place.directory,
                env=dict(self._place.environment()),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                user=user,
                # A group of its own: Ctrl-C in a terminal is for the supervisor's owner alone.
                start_new_session=True,
            )

    async def _await_ready(self) -> None:
        while not (await self.service.is_ready() and self._listens()):  # noqa: ASYNC110 - only the process knows
            await asyncio.sleep(self.service.ask_seconds)
        if not self._asked_to_stop.is_set():
            self._note(ServiceStatus.READY)

    def _listens(self) -> bool:
        """Tell whether it is our process that listens on the port, and not one that was there before it."""
        if not self.service.has_port:
            return True
        try:
            connections = [found for process in self._tree() for found in process.net_connections("tcp")]
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            # Some systems do not tell; then the answer to the probe has to do.
            return True
        return any(found.status == psutil.CONN_LISTEN and found.laddr.port == self.port for found in connections)

    def _tree(self) -> list[psutil.Process]:
        process = processes.find(self.state.process)
        return [] if process is None else processes.with_descendants(process)

    def _note(self, status: ServiceStatus, detail: str = "") -> None:
        self.state = dataclasses.replace(self.state, status=status, detail=detail, port=self.port)
        if status in SETTLED:
            self._settled.set()
        else:
            self._settled.clear()
        self._changed()


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end.

    Once is not enough: ``asyncio.wait_for`` of Python 3.11, which the NATS client uses, loses a cancellation that
    arrives together with the answer, and the task goes on as if nothing had been asked.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=POLL_SECONDS)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _spoken(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
