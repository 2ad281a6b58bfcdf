"""What is asked of a supervisor: which services are to run, to stand still or to be stopped.

A file that says what is wanted, not a list of orders: however often and late the supervisor looks, it does the right
thing. ``generation`` counts the requests; the supervisor writes the last one that it has carried out into its state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from doctor.pipeline.sandbox.files import read_json, replace_text

#: The line by which whoever started a supervisor, and holds its standard input, lets it outlive the end of that.
RELEASE = b"stay\n"


class Wanted(StrEnum):
    """What a service is to do."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Control:
    """A request; services that it does not name are to run."""

    generation: int = 0
    wanted: Mapping[str, Wanted] = field(default_factory=dict)

    def of(self, service: str) -> Wanted:
        """Return what is wanted of a service."""
        return self.wanted.get(service, Wanted.RUNNING)


def read_control(path: Path) -> Control:
    """Read the request; a missing or damaged file asks for nothing special."""
    values = read_json(path) or {}
    try:
        wanted = {str(name): Wanted(value) for name, value in values.get("wanted", {}).items()}
        return Control(int(values.get("generation", 0)), wanted)
    except (TypeError, ValueError, AttributeError):
        return Control()


def write_control(path: Path, control: Control) -> None:
    """Write the request."""
    replace_text(path, json.dumps({"generation": control.generation, "wanted": dict(control.wanted)}) + "\n")
