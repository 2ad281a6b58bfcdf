"""What ``sandbox.json`` says: which processes a sandbox has, where they listen, and how they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from doctor.pipeline.sandbox.files import read_json


class Status(StrEnum):
    """How a sandbox is, as a whole."""

    DOWN = "down"
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    FAILED = "failed"
    DEAD = "dead"


class ServiceStatus(StrEnum):
    """How one process is. ``BACKOFF``: it died and is about to be started again."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    BACKOFF = "backoff"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process that can be recognised later: ``created`` (seconds since 1970) tells a pid from its next owner."""

    pid: int
    created: float


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service. ``started_at`` is ISO 8601 in UTC; ``restarts`` counts what nobody asked for."""

    name: str
    status: ServiceStatus
    process: ProcessRecord | None = None
    port: int | None = None
    started_at: str | None = None
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SandboxState:
    """A sandbox at one moment. Addresses are without passwords; those are in ``.env``.

    ``given`` names the services that were running already and belong to somebody else. ``code_digest`` is the code that
    API and worker were last started with; ``control`` is the last request that the supervisor has carried out.
    """

    name: str
    directory: str
    status: Status
    run: str = ""
    started_at: str | None = None
    supervisor: ProcessRecord | None = None
    guardian: ProcessRecord | None = None
    services: dict[str, ServiceState] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    code_digest: str = ""
    code_restarts: int = 0
    control: int = 0
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return asdict(self)


def state_from_json(values: dict[str, Any]) -> SandboxState:
    """Build a state from what :meth:`SandboxState.to_json` gave.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    services = {
        name: ServiceState(
            **{
                **service,
                "status": ServiceStatus(service["status"]),
                "process": _record(service.get("process")),
            }
        )
        for name, service in values.get("services", {}).items()
    }
    return SandboxState(
        **{
            **values,
            "status": Status(values["status"]),
            "supervisor": _record(values.get("supervisor")),
            "guardian": _record(values.get("guardian")),
            "services": services,
            "given": tuple(values.get("given", ())),
        }
    )


def read_state(path: Path) -> SandboxState | None:
    """Read ``sandbox.json``; nothing when there is none, or it is not one."""
    values = read_json(path)
    if values is None:
        return None
    try:
        return state_from_json(values)
    except (KeyError, TypeError, ValueError):
        return None


def _record(values: dict[str, Any] | None) -> ProcessRecord | None:
    return None if values is None else ProcessRecord(int(values["pid"]), float(values["created"]))
