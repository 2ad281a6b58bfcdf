"""What a run means for whoever called the command: one exit code, the same in every format."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from doctor.model import RepairStatus, Run, Severity, Status, SuppressionKind


class ExitCode(IntEnum):
    """Exit codes of the command line; a contract with scripts and CI."""

    OK = 0
    """Nothing at or above ``--fail-on``."""
    FINDINGS = 1
    """Findings at or above ``--fail-on``."""
    USAGE = 2
    """Wrong usage or configuration."""
    INCOMPLETE = 3
    """A selected check could not tell, or nothing could be checked at all."""
    INTERNAL = 4
    """A bug of the doctor."""
    ROLLED_BACK = 5
    """A fix failed its verification and was rolled back."""
    INTERRUPTED = 130
    """Ctrl-C."""


PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.INTERNAL,
    ExitCode.USAGE,
    ExitCode.ROLLED_BACK,
    ExitCode.FINDINGS,
    ExitCode.INCOMPLETE,
    ExitCode.OK,
)
"""Which code wins when several apply, strongest first."""


def strongest(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that wins; OK when there is none."""
    present = set(codes)
    return next((code for code in PRECEDENCE if code in present), ExitCode.OK)


def exit_code(run: Run) -> ExitCode:
    """Judge the latest state of a run."""
    codes = {ExitCode.OK}
    if any(repair.status is RepairStatus.ROLLED_BACK for repair in run.repairs):
        codes.add(ExitCode.ROLLED_BACK)
    if any(fails_gate(finding.severity, run.fail_on) for result in run.current for finding in result.findings):
        codes.add(ExitCode.FINDINGS)
    statuses = [result.status for result in run.current]
    if Status.UNKNOWN in statuses or all(status is Status.SKIP for status in statuses):
        codes.add(ExitCode.INCOMPLETE)
    return strongest(codes)


def fails_gate(severity: Severity, fail_on: str) -> bool:
    """Tell whether a finding of this severity fails the gate."""
    return fail_on != "never" and severity.rank >= Severity(fail_on).rank


def status_word(run: Run) -> str:
    """The exit code in a word; a 0 is ``healthy`` only where everything was looked at and nothing was found.

    ``warnings``: only findings below ``--fail-on``. ``partial``: nothing found, but checks were skipped.
    """
    code = exit_code(run)
    if code is not ExitCode.OK:
        return "incomplete" if code is ExitCode.INCOMPLETE else "unhealthy"
    if any(finding.severity.rank >= Severity.WARNING.rank for result in run.current for finding in result.findings):
        return "warnings"
    return "partial" if any(result.status is Status.SKIP for result in run.current) else "healthy"


_LEFT_OUT = {
    SuppressionKind.MUTE: "muted",
    SuppressionKind.COMMENT: "ignored in the source",
    SuppressionKind.CONFIGURATION: "ignored by the configuration",
    SuppressionKind.BASELINE: "known from the baseline",
    SuppressionKind.LAST_RUN: "found by the last run already",
}


def taken_back(run: Run) -> str:
    """Say how many of a run's repairs were undone since, and so what the run says of the state after them; or ""."""
    undone = sum(repair.status is RepairStatus.UNDONE for repair in run.repairs)
    return f"{undone} of {len(run.repairs)} repairs taken back since" if undone else ""


def status_sentence(run: Run) -> str:
    """The same for people, with the numbers behind it, what was left out, and whether it still holds."""
    return "; ".join(filter(None, (_status_now(run), left_out(run), taken_back(run))))


def left_out(run: Run) -> str:
    """Say how many findings were left out, and by what; or ""."""
    kinds = [suppression.kind for suppression in run.suppressions]
    return ", ".join(f"{kinds.count(kind)} {words}" for kind, words in _LEFT_OUT.items() if kind in kinds)


def _status_now(run: Run) -> str:
    word = status_word(run)
    findings = [finding for result in run.current for finding in result.findings]
    if word == "warnings":
        count = sum(finding.severity.rank >= Severity.WARNING.rank for finding in findings)
        many = f"{count} finding{'s' if count > 1 else ''}"
        return f"{many}, none at or above --fail-on {run.fail_on}" if run.fail_on != "never" else f"{many}; never fails"
    if word == "partial":
        skipped = sum(result.status is Status.SKIP for result in run.current)
        return f"nothing found; {skipped} of {len(run.current)} checks skipped"
    return word
