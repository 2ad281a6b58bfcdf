"""What an output format is: a name and a function from a run, or from what logs tell, to text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from doctor.log_summary import LogSummary
from doctor.model import Run


@dataclass(frozen=True, slots=True)
class Presentation:
    """How to show it: ``width`` in columns. Machine formats ignore all of it."""

    color: bool = False
    width: int = 100
    verbose: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Appendix:
    """What a format also appends to the file that an environment variable names, where the variable is set."""

    variable: str
    render: Callable[[Run], str]


@dataclass(frozen=True, slots=True)
class Report:
    """One output format. ``machine`` formats are parsed by programs: nothing else may appear beside them.

    ``shows_changes``: it is given what `doctor fix` would change in the source, as planned repairs of the run.
    ``exit_code`` is for a protocol that has its own: it is the command's when the format goes to stdout.
    ``render_difference``, where a format has it, tells what changed from one run to another.
    """

    name: str
    title: str
    machine: bool
    render: Callable[[Run, Presentation], str]
    appendix: Appendix | None = None
    shows_changes: bool = False
    exit_code: Callable[[Run], int] | None = None
    render_difference: Callable[[Run, Run, Presentation], str] | None = None


@dataclass(frozen=True, slots=True)
class LogReport:
    """One output format for what logs tell."""

    name: str
    title: str
    machine: bool
    render: Callable[[LogSummary, Presentation], str]
