"""The process that owns all others of a sandbox: ``python -m doctor.pipeline.sandbox.supervisor DIR [--with-parent]``.

It starts them in parallel as far as one does not need another, restarts what dies, restarts API and worker when the
code in the sandbox changes, carries out requests (see ``control``), and stops everything on SIGTERM, on SIGINT and,
with ``--with-parent``, at the end of its standard input, unless that says first that we are to stay. ``sandbox.json``
says at every moment how things are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from doctor.pipeline.sandbox import bringing_up, processes
from doctor.pipeline.sandbox.addresses import Addresses
from doctor.pipeline.sandbox.child import Child, Surroundings
from doctor.pipeline.sandbox.code_watch import code_digest
from doctor.pipeline.sandbox.control import RELEASE, Wanted, read_control
from doctor.pipeline.sandbox.errors import SandboxError
from doctor.pipeline.sandbox.files import replace_text
from doctor.pipeline.sandbox.layout import CODE_SERVICES, Layout
from doctor.pipeline.sandbox.locking import alone
from doctor.pipeline.sandbox.plan import read_plan
from doctor.pipeline.sandbox.services import build_services
from doctor.pipeline.sandbox.state import SandboxState, ServiceStatus, Status, read_state

CONTROL_POLL_SECONDS = 0.1
CODE_POLL_SECONDS = 0.3
#: A file that is being written looks changed twice; the second look comes after this time.
CODE_SETTLE_SECONDS = 0.1
#: One that has just written its last state may need a moment to end.
LOCK_PATIENCE_SECONDS = 1.0

log = logging.getLogger("supervisor")


class Supervisor:
    """Runs one sandbox from start to stop."""

    def __init__(self, layout: Layout) -> None:
        plan = read_plan(layout.plan_file)
        self._layout = layout
        self._addresses = Addresses(plan)
        earlier = read_state(layout.state_file)
        self._addresses.ports = bringing_up.choose_ports(plan, earlier)
        self._state = SandboxState(
            name=plan.name,
            directory=str(layout.directory),
            status=Status.STARTING,
            run=uuid.uuid4().hex,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            supervisor=processes.record_of(os.getpid()),
            given=plan.given,
            control=read_control(layout.control_file).generation,
        )
        self._children = {
            name: Child(service, self._addresses.ports.get(name), self._surroundings(name), self._publish)
            for name, service in build_services(layout, self._addresses).items()
        }
        self._locks = {name: asyncio.Lock() for name in self._children}
        self._guardian: Process | None = None

    async def run(self, stop: asyncio.Event) -> int:
        """Bring the sandbox up and keep it so until ``stop``; returns 0, or 1 when it could not be brought up."""
        await self._start_guardian()
        self._publish()
        failure = await self._until(stop, self._bring_up())
        if failure is None and not stop.is_set():
            self._set(status=Status.READY)
            log.info("ready: %s", self._addresses.without_secrets())
            failure = await self._until(stop, self._watch_control(), self._watch_code())
        if failure is not None:
            log.error("%s", failure)
        await self._stop_all(failure)
        return 0 if failure is None else 1

    async def _until(self, stop: asyncio.Event, *works: Coroutine[None, None, None]) -> str | None:
        """Run until all is done or we are to stop; returns what went wrong, if anything did."""
        tasks = [asyncio.ensure_future(work) for work in works]
        stopping = asyncio.create_task(stop.wait())
        together = asyncio.gather(*tasks)
        waited: set[asyncio.Future[Any]] = {stopping, together}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for task in tasks:
            task.cancel()
        try:
            await together
        except asyncio.CancelledError:
            return None
        except (SandboxError, OSError) as error:
            return str(error)
        return None

    async def _bring_up(self) -> None:
        await bringing_up.bring_up(self._layout, self._addresses, self._children, self._environment, self._digest_now)

    def _digest_now(self) -> None:
        self._set(code_digest=code_digest(self._layout.app))

    async def _watch_control(self) -> None:
        done = read_control(self._layout.control_file)
        while True:
            await asyncio.sleep(CONTROL_POLL_SECONDS)
            asked = read_control(self._layout.control_file)
            if asked.generation == done.generation:
                continue
            for name, child in self._children.items():
                if asked.of(name) is not done.of(name):
                    log.info("asked: %s %s", name, asked.of(name))
                    async with self._locks[name]:
                        await self._carry_out(child, asked.of(name))
            done = asked
            self._set(control=asked.generation)

    async def _carry_out(self, child: Child, wanted: Wanted) -> None:
        if wanted is Wanted.STOPPED:
            await child.stop(child.service.patience)
        elif wanted is Wanted.PAUSED:
            await child.pause()
        else:
            await child.start()

    async def _watch_code(self) -> None:
        while True:
            await asyncio.sleep(CODE_POLL_SECONDS)
            digest = code_digest(self._layout.app)
            if digest == self._state.code_digest:
                continue
            await asyncio.sleep(CODE_SETTLE_SECONDS)
            if code_digest(self._layout.app) == digest:
                log.info("the code has changed: API and worker start again")
                await self._restart_code(digest)

    async def _restart_code(self, digest: str) -> None:
        wanted = read_control(self._layout.control_file)
        children = [child for name, child in self._children.items() if name in CODE_SERVICES]
        concerned = [child for child in children if wanted.of(child.service.name) is not Wanted.STOPPED]
        # The old processes are no longer ready from the moment at which the new digest is seen.
        for child in concerned:
            child.state = replace(child.state, status=ServiceStatus.STOPPING)
        self._set(code_digest=digest, code_restarts=self._state.code_restarts + 1)
        await asyncio.gather(*map(self._restart, concerned))

    async def _restart(self, child: Child) -> None:
        async with self._locks[child.service.name]:
            await child.stop(child.service.patience, child.service.drain)
            await child.start()

    async def _stop_all(self, failure: str | None) -> None:
        self._set(status=Status.FAILED if failure else Status.STOPPING, detail=failure or "")
        log.info("stopping")
        code = [child for name, child in self._children.items() if name in CODE_SERVICES]
        servers = [child for name, child in self._children.items() if name not in CODE_SERVICES]
        # Whoever works with the servers goes first: nothing has to end with an error.
        for group in (code, servers):
            await asyncio.gather(*(child.stop(child.service.patience) for child in group))
        self._set(status=Status.FAILED if failure else Status.DOWN, supervisor=None, guardian=None)
        if self._guardian is not None:
            self._guardian.kill()
            await self._guardian.wait()
        log.info("stopped")

    async def _start_guardian(self) -> None:
        """Start the process that outlives us; it must not be marked as ours, or it would end itself."""
        command = [
            sys.executable,
            "-P",
            "-m",
            "doctor.pipeline.sandbox.guardian",
            str(self._layout.directory),
            self._state.run,
        ]
        self._guardian = await asyncio.create_subprocess_exec(*command, stdin=PIPE, start_new_session=True)
        self._set(guardian=processes.record_of(self._guardian.pid))

    def _surroundings(self, name: str) -> Surroundings:
        return Surroundings(self._layout.directory, self._layout.log(name), self._environment)

    def _environment(self) -> dict[str, str]:
        return self._addresses.environment((processes.RUN_VARIABLE, self._state.run))

    def _set(self, **values: object) -> None:
        self._state = replace(self._state, **values)  # type: ignore[arg-type]  # the names are those of the class
        self._publish()

    def _publish(self) -> None:
        services = {name: child.state for name, child in self._children.items()}
        status = self._state.status
        if status in {Status.READY, Status.DEGRADED}:
            healthy = all(service.status is ServiceStatus.READY for service in services.values())
            status = Status.READY if healthy else Status.DEGRADED
        self._state = replace(
            self._state, services=services, status=status, addresses=self._addresses.without_secrets()
        )
        replace_text(self._layout.state_file, json.dumps(self._state.to_json(), indent=2) + "\n")


async def supervise(layout: Layout, *, with_parent: bool) -> int:
    """Run a sandbox until a signal, or the end of standard input, asks us to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    watching = asyncio.create_task(_await_end_of_input(stop)) if with_parent else None
    try:
        return await Supervisor(layout).run(stop)
    finally:
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching


async def _await_end_of_input(stop: asyncio.Event) -> None:
    """Stop when our parent has ended, unless it has released us: only it holds the other end of our standard input."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        if await reader.readline() == RELEASE:
            return
        log.info("the parent is gone")
        stop.set()
    finally:
        transport.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the supervisor; 0 after an orderly stop, 1 when the sandbox could not be brought up, 3 when it is running."""
    parser = argparse.ArgumentParser(prog="supervisor", description="Runs the processes of one sandbox.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    layout = Layout(options.directory.resolve())
    try:
        with alone(layout.lock_file, patience=LOCK_PATIENCE_SECONDS) as only:
            if not only:
                log.error("another supervisor runs this sandbox")
                return 3
            return asyncio.run(supervise(layout, with_parent=options.with_parent))
    except (SandboxError, OSError) as error:
        log.error("%s", error)  # noqa: TRY400 - the message says what to do; a traceback would hide it
        return 1


if __name__ == "__main__":
    sys.exit(main())
