"""Where everything is in a sandbox's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: The services of a sandbox, in the order in which a person would name them.
SERVICES = ("postgres", "nats", "models", "api", "worker")

#: The services that run the sandbox's copy of the application, and so restart when it changes.
CODE_SERVICES = ("api", "worker")


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below ``directory``, which is absolute."""

    directory: Path

    @property
    def app(self) -> Path:
        """The sandbox's own copy of the application."""
        return self.directory / "app"

    @property
    def env_file(self) -> Path:
        """Addresses and secrets, for the application and for whoever examines it."""
        return self.directory / ".env"

    @property
    def compose_file(self) -> Path:
        """How the application is deployed, where a fault says that it is."""
        return self.directory / "docker-compose.yml"

    @property
    def report_file(self) -> Path:
        """A program beside the application, where a fault says that there is one."""
        return self.directory / "report.py"

    @property
    def doctor_toml(self) -> Path:
        """The description of the chain."""
        return self.directory / "doctor.toml"

    @property
    def data(self) -> Path:
        """The files of the servers."""
        return self.directory / "data"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.directory / "logs"

    @property
    def records(self) -> Path:
        """What commands that look at the folder record about it."""
        return self.directory / ".doctor"

    @property
    def state_file(self) -> Path:
        """What runs, written by the supervisor."""
        return self.directory / "sandbox.json"

    @property
    def plan_file(self) -> Path:
        """What the sandbox was made with; holds passwords."""
        return self.directory / "data" / "plan.json"

    @property
    def control_file(self) -> Path:
        """What is asked of the supervisor."""
        return self.directory / "data" / "control.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor, so that there is one."""
        return self.directory / "data" / "supervisor.lock"

    @property
    def start_lock_file(self) -> Path:
        """Held by the command that starts the sandbox, so that two of them do not undo one another's work."""
        return self.directory / "data" / "start.lock"

    @property
    def faults(self) -> Path:
        """What faults changed, so that they can be healed."""
        return self.directory / "data" / "faults"

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.logs / f"{name}.log"
