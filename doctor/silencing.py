"""Takes out of the results what somebody decided not to hear of, and tells which of these decisions are out of date.

Who decides is a :class:`Silencer`: the configuration, a mute, a baseline, the last run. (Comments in the source have
lines of their own; see ``doctor.suppression``.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from doctor.model import (
    CheckResult,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Resource,
    Role,
    Severity,
    Status,
    Suppression,
)

OUT_OF_DATE = "DOC012"
"""The code under which decisions are told that are out of date."""


class Silencer(Protocol):
    """Decides which findings are left out."""

    def covers(self, finding: Finding) -> Suppression | None:
        """Return by what the finding is left out, or None."""

    def out_of_date(self, results: Sequence[CheckResult]) -> Iterable[Finding]:
        """Return what is wrong with the decisions themselves; ``results`` are those before anything was left out."""


def silence(
    results: Sequence[CheckResult], silencers: Sequence[Silencer]
) -> tuple[tuple[CheckResult, ...], tuple[Suppression, ...]]:
    """Return the results without what the silencers cover, and what was left out: the first that covers it counts."""
    suppressions: list[Suppression] = []
    kept = []
    for result in results:
        covering = [(finding, _covering(finding, silencers)) for finding in result.findings]
        left = tuple(finding for finding, suppression in covering if suppression is None)
        suppressions += [suppression for _, suppression in covering if suppression is not None]
        kept.append(with_findings(result, left))
    stale = tuple(finding for silencer in silencers for finding in silencer.out_of_date(results))
    if stale and any(result.status is not Status.SKIP for result in results):
        kept.append(CheckResult(OUT_OF_DATE, "suppression-out-of-date", "doctor", Status.FAIL, stale))
    return tuple(kept), tuple(suppressions)


def _covering(finding: Finding, silencers: Sequence[Silencer]) -> Suppression | None:
    return next((found for silencer in silencers if (found := silencer.covers(finding)) is not None), None)


def with_findings(result: CheckResult, findings: tuple[Finding, ...]) -> CheckResult:
    """Return a result with some of its findings left out; without any it passes."""
    if len(findings) == len(result.findings):
        return result
    status = Status.PASS if result.status is Status.FAIL and not findings else result.status
    return replace(result, findings=findings, status=status)


def was_asked(code: str, results: Iterable[CheckResult]) -> bool:
    """Tell whether a check of this code or prefix ran and could tell."""
    return any(result.code.startswith(code) and result.status in (Status.PASS, Status.FAIL) for result in results)


def out_of_date(
    what: str, path: str, line: int, symptom: str, remedy: str, severity: Severity = Severity.WARNING
) -> Finding:
    """Return the finding about a decision: ``what`` was decided, and where that stands."""
    return Finding(
        code=OUT_OF_DATE,
        resource=Resource("suppression", what, path, line),
        symptom=symptom,
        cause=symptom,
        severity=severity,
        role=Role.ADVICE,
        evidence=(Evidence(EvidenceKind.CONFIG, f"{path}:{line}", symptom),),
        fixes=(FixOption.by_hand(remedy, "only you know whether it is still meant"),),
        validation="doctor check",
    )
