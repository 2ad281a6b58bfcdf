"""One line for Nagios, Icinga and everything that runs their plugins, with performance data.

It has the exit codes of that protocol: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
https://www.monitoring-plugins.org/doc/guidelines.html
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from doctor.api import ExitCode, Finding, Presentation, Report, Run, Severity, Status, exit_code, status_word

_TEXT = 200
"""Characters of what is seen; many receivers keep no more than a kilobyte of the whole."""


class State(IntEnum):
    """The states of a service."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def state_of(run: Run) -> State:
    """Return CRITICAL where the gate fails, UNKNOWN where something could not be told, WARNING for what is below."""
    code = exit_code(run)
    if code is ExitCode.OK:
        return State.WARNING if status_word(run) == "warnings" else State.OK
    return State.UNKNOWN if code is ExitCode.INCOMPLETE else State.CRITICAL


def render(run: Run, presentation: Presentation) -> str:
    """Return the line: state, counts, the gravest finding, performance data."""
    return f"DOCTOR {state_of(run).name} - {_plain(_told(run))} | {' '.join(_performance(run))}\n"


def _told(run: Run) -> str:
    found = [finding for result in run.current for finding in result.findings]
    unknown = [result for result in run.current if result.status is Status.UNKNOWN]
    parts = [f"{len(found)} findings"] if found else []
    if worst := max(found, key=lambda finding: finding.severity.rank, default=None):
        parts.append(f"{worst.code} {worst.symptom[:_TEXT]}")
    if unknown:
        parts.append(f"{len(unknown)} checks could not tell: {unknown[0].code} {unknown[0].reason[:_TEXT]}")
    if run.suppressions:
        parts.append(f"{len(run.suppressions)} left out")
    return ", ".join(parts) or status_word(run)


def _performance(run: Run) -> Iterator[str]:
    found = [finding for result in run.current for finding in result.findings]
    for severity in reversed(Severity):
        yield f"{severity}={_count(found, severity)};;;0"
    yield f"unknown={sum(result.status is Status.UNKNOWN for result in run.current)};;;0"
    yield f"time={run.duration:.3f}s;;;0"


def _count(found: list[Finding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in found)


def _plain(text: str) -> str:
    """Return one line without the mark at which performance data begin."""
    return " ".join(text.replace("|", "/").split())


REPORT = Report(
    name="nagios",
    title="one line and the exit codes of Nagios plugins",
    machine=True,
    render=render,
    exit_code=lambda run: int(state_of(run)),
)
