"""A sandbox from the outside: made, started, examined, broken, healed and stopped. Everything here is synchronous."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import psycopg
from dotenv import dotenv_values

from doctor.pipeline.sandbox import history, launching, processes
from doctor.pipeline.sandbox.binaries import require_packages
from doctor.pipeline.sandbox.code_watch import code_digest
from doctor.pipeline.sandbox.control import Control, Wanted, read_control, write_control
from doctor.pipeline.sandbox.copying import copy_application
from doctor.pipeline.sandbox.errors import (
    DeadlineError,
    NotASandboxError,
    NotRunningError,
    StartError,
    UnknownNameError,
)
from doctor.pipeline.sandbox.fault import Fault, find_fault
from doctor.pipeline.sandbox.history import HistoryAdded
from doctor.pipeline.sandbox.layout import CODE_SERVICES, Layout
from doctor.pipeline.sandbox.locking import alone
from doctor.pipeline.sandbox.plan import make_plan, read_plan, write_plan
from doctor.pipeline.sandbox.removal import remove
from doctor.pipeline.sandbox.seeding import seed
from doctor.pipeline.sandbox.sending import send_updates
from doctor.pipeline.sandbox.state import SandboxState, ServiceState, ServiceStatus, Status, read_state

POLL_SECONDS = 0.03
START_DEADLINE_SECONDS = 60.0
CODE_DEADLINE_SECONDS = 60.0
SERVICE_DEADLINE_SECONDS = 30.0


def _holds_files(layout: Layout) -> bool:
    """Return whether a folder is somebody's: ours, as soon as the lock is in it, though the plan comes last."""
    return any(not path.is_dir() for path in layout.directory.rglob("*") if layout.records not in path.parents)


class Sandbox:
    """One folder with a whole pipeline in it; see ``layout`` for what is where."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.layout = layout
        self.name = name

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        name: str,
        environment: Mapping[str, str] | None = None,
        auth: bool = False,
        exist_ok: bool = False,
    ) -> Sandbox:
        """Make a sandbox in a folder that is empty or does not exist; nothing is started yet.

        Args:
            directory: where; spaces and any letters are fine.
            name: for people; the database is named after it.
            environment: where ``DATABASE_URL``, ``NATS_URL`` and ``OLLAMA_HOST`` are looked up (default: our own);
                what they name is used in place of a server of the sandbox's own.
            auth: have an identity provider too, and let the API ask for session tokens.
            exist_ok: open the sandbox that is there, also one that another command has made in this moment.

        Raises:
            NotASandboxError: the folder has something in it, or another command is making a sandbox of it.
            BinaryMissingError: packages that its processes need are not installed; nothing is made then.
        """
        require_packages()
        layout = Layout(directory.resolve())
        if layout.plan_file.exists():
            return cls._existing(layout, exist_ok)
        if _holds_files(layout) and not layout.start_lock_file.exists():
            raise NotASandboxError(f"{layout.directory} is not empty: choose a new folder, nothing in it was touched")
        layout.data.mkdir(parents=True, exist_ok=True)
        with alone(layout.start_lock_file) as only:
            if not only:
                raise NotASandboxError(f"{layout.directory} is being made by another command: wait for it")
            if layout.plan_file.exists():  # made between our look and our lock
                return cls._existing(layout, exist_ok)
            copy_application(layout)
            # Last, for it makes the folder a sandbox.
            surroundings = os.environ if environment is None else environment
            write_plan(layout.plan_file, make_plan(name, surroundings, auth=auth))
        return cls(layout, name)

    @classmethod
    def _existing(cls, layout: Layout, welcome: bool) -> Sandbox:
        if not welcome:
            raise NotASandboxError(f"{layout.directory} is a sandbox already: open it, or choose another folder")
        return cls.open(layout.directory)

    @classmethod
    def open(cls, directory: Path) -> Sandbox:
        """Open a sandbox that was made before, running or not.

        Raises:
            NotASandboxError: there is none in the folder.
        """
        layout = Layout(directory.resolve())
        if not layout.plan_file.is_file():
            raise NotASandboxError(f"{layout.directory} is not a sandbox: make one with `doctor sandbox up`")
        return cls(layout, read_plan(layout.plan_file).name)

    @property
    def directory(self) -> Path:
        """The folder."""
        return self.layout.directory

    def state(self) -> SandboxState:
        """Return how the sandbox is now; ``DEAD`` when its supervisor was killed."""
        state = read_state(self.layout.state_file)
        if state is None:
            return SandboxState(self.name, str(self.directory), Status.DOWN)
        alive = processes.find(state.supervisor) is not None
        if not alive and state.status not in {Status.DOWN, Status.FAILED}:
            return replace(state, status=Status.DEAD, detail="the supervisor was killed; start the sandbox again")
        return state

    def environment(self) -> dict[str, str]:
        """Return the variables of ``.env``: addresses and secrets.

        Raises:
            NotRunningError: the sandbox was never started.
        """
        if not self.layout.env_file.is_file():
            raise NotRunningError(f"{self.directory} was never up: start it with `doctor sandbox up`")
        values = dotenv_values(self.layout.env_file, interpolate=False)
        return {name: value for name, value in values.items() if value is not None}

    def up(
        self,
        *,
        with_parent: bool = False,
        deadline: float = START_DEADLINE_SECONDS,
        progress: Callable[[str], None] = lambda _: None,
    ) -> SandboxState:
        """Start everything, wait until all is ready, and make the provider and the agent configuration.

        A sandbox that is up stays as it is. When it fails, nothing is left running.

        Args:
            with_parent: stop everything when this process ends, however it ends.
            deadline: seconds for all of it.
            progress: called with one line for each thing that is done.

        Raises:
            StartError, DeadlineError: it did not come up; the end of the log is in the message.
            BinaryMissingError: server programs are not installed.
        """
        with alone(self.layout.start_lock_file) as only:
            if not only:
                raise StartError(f"{self.directory} is being started by another command: wait for it, or stop it first")
            if self.state().status in {Status.READY, Status.DEGRADED}:
                progress("already up")
            else:
                self._start_all(deadline, progress)
                if not with_parent:
                    launching.release(self.layout)
        return self.state()

    def _start_all(self, deadline: float, progress: Callable[[str], None]) -> None:
        started = time.monotonic()
        # What a start that was killed has left may be on its way down, or still on its way up.
        launching.stop(self.layout)
        write_control(self.layout.control_file, Control(read_control(self.layout.control_file).generation))
        process = launching.launch(self.layout)
        try:
            launching.await_ready(self.layout, process, deadline, progress)
            environment = self.environment()
            seed(environment["API_URL"], environment.get("API_TOKEN", ""))
        except BaseException:
            # Ctrl-C included: whoever could not have it whole must not find half of it running.
            launching.stop(self.layout)
            raise
        progress(f"up after {time.monotonic() - started:.1f} s")

    def clear_remains(self) -> int:
        """End the processes that a killed supervisor has left, and return how many there were; none when it lives."""
        return launching.clear_leftovers(self.layout) if self.state().status is Status.DEAD else 0

    def down(self, *, keep_data: bool) -> None:
        """Stop everything; without ``keep_data`` also remove what the sandbox made, its folder too if it is then empty.

        Raises:
            SandboxError: a database on a server that was given could not be dropped.
        """
        launching.stop(self.layout)
        if not keep_data:
            remove(self.layout)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Open a connection to the sandbox's database, each statement its own transaction.

        Raises:
            NotRunningError: the database does not answer.
        """
        try:
            return psycopg.connect(self.environment()["DATABASE_URL"], connect_timeout=5, autocommit=True)
        except psycopg.OperationalError as error:
            raise NotRunningError(f"the sandbox's database does not answer: {str(error).strip()}; is it up?") from error

    def add_history(self, messages: int = 237, atoms: int = 125) -> HistoryAdded:
        """Add messages and atoms that are older than the look-back and have no vectors; twice adds nothing.

        Raises:
            NotRunningError: the database does not answer.
        """
        with self.connect() as connection:
            return history.add_history(connection, messages, atoms)

    def send_messages(self, count: int, chat_id: int) -> list[str]:
        """Send Telegram updates through the webhook, with texts that form topics; returns their external ids.

        Raises:
            NotRunningError: the API does not answer.
            SandboxError: it refuses an update; its words are in the message.
        """
        return send_updates(self.layout, self.environment(), count, chat_id)

    def break_(self, *fault_names: str, deadline: float = CODE_DEADLINE_SECONDS) -> None:
        """Break the sandbox in these ways and wait until it runs the broken code; what is broken stays broken.

        Raises:
            UnknownNameError: there is no such fault; nothing is broken then.
            NotRunningError: a fault in the data needs the database.
        """
        self._change([find_fault(name) for name in fault_names], lambda fault: fault.break_, deadline)

    def heal(self, *fault_names: str, deadline: float = CODE_DEADLINE_SECONDS) -> None:
        """Take faults back; what somebody has repaired or changed meanwhile stays as it is."""
        self._change([find_fault(name) for name in fault_names], lambda fault: fault.heal, deadline)

    def stop(self, service: str) -> None:
        """Stop one service until :meth:`start` is called for it."""
        self._control(service, Wanted.STOPPED, ServiceStatus.STOPPED)

    def start(self, service: str) -> None:
        """Start a service that was stopped, or let one go on that was frozen, and wait until it is ready."""
        self._control(service, Wanted.RUNNING, ServiceStatus.READY)

    def pause(self, service: str) -> None:
        """Freeze one service: its connections stay open, and nothing answers."""
        self._control(service, Wanted.PAUSED, ServiceStatus.PAUSED)

    def kill(self, service: str) -> None:
        """Kill one service and its children, as a crash would; the supervisor starts it again.

        Raises:
            NotRunningError: it has no process at the moment.
        """
        process = processes.find(self._service_state(service).process)
        if process is None:
            raise NotRunningError(f"{service} has no process at the moment")
        processes.send(processes.with_descendants(process), processes.KILL)

    def await_code_restart(self, deadline: float = CODE_DEADLINE_SECONDS) -> None:
        """Wait until API and worker run the code that is in the folder now; at once when they do already.

        Raises:
            NotRunningError: the sandbox is not up.
            DeadlineError: they do not come up with it within ``deadline`` seconds.
        """
        digest = code_digest(self.layout.app)

        def runs_it(state: SandboxState) -> bool:
            services = (state.services[name].status for name in CODE_SERVICES)
            return state.code_digest == digest and all(status is ServiceStatus.READY for status in services)

        self._await(runs_it, deadline, "API and worker do not come up with the code in the folder")

    def _change(self, faults: list[Fault], what: Callable[[Fault], Callable[[Sandbox], None]], deadline: float) -> None:
        for fault in faults:
            what(fault)(self)
        running = self.state().status in {Status.READY, Status.DEGRADED}
        if running and any(fault.edits_code for fault in faults):
            self.await_code_restart(deadline)

    def _service_state(self, service: str) -> ServiceState:
        """Return how a service of the sandbox's own is.

        Raises:
            UnknownNameError: there is no such service, or it belongs to somebody else.
            NotRunningError: the sandbox is not up.
        """
        state = self.state()
        if state.status in {Status.DOWN, Status.DEAD, Status.FAILED}:
            raise NotRunningError(f"{self.directory} is {state.status}: start it with `doctor sandbox up`")
        if service not in state.services:
            known = ", ".join(state.services)
            raise UnknownNameError(f"the sandbox has no service {service!r} of its own; it has {known}")
        return state.services[service]

    def _control(self, service: str, wanted: Wanted, expected: ServiceStatus) -> None:
        self._service_state(service)
        before = read_control(self.layout.control_file)
        asked = Control(before.generation + 1, {**before.wanted, service: wanted})
        write_control(self.layout.control_file, asked)
        self._await(
            lambda state: state.control >= asked.generation and state.services[service].status is expected,
            SERVICE_DEADLINE_SECONDS,
            f"{service} is not {expected}",
        )

    def _await(self, holds: Callable[[SandboxState], bool], deadline: float, otherwise: str) -> None:
        until = time.monotonic() + deadline
        while True:
            state = self.state()
            if state.status in {Status.DOWN, Status.DEAD, Status.FAILED}:
                raise NotRunningError(f"{self.directory} is {state.status}: start it with `doctor sandbox up`")
            if holds(state):
                return
            if time.monotonic() > until:
                raise DeadlineError(f"{otherwise} after {deadline:.0f} s; see {self.layout.logs}")
            time.sleep(POLL_SECONDS)


def list_sandboxes(root: Path) -> list[Sandbox]:
    """Return the sandboxes in the folders right below ``root``, and in ``root`` itself, by folder."""
    candidates = [root, *sorted(root.iterdir())] if root.is_dir() else []
    return [Sandbox.open(path) for path in candidates if Layout(path.resolve()).plan_file.is_file()]
