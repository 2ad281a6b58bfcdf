"""Every check whose answer changed, before and after."""

from __future__ import annotations

from doctor.api import CheckResult, Status
from doctor.reports.rca.document import Mark, Section, Table, Tone, joined
from doctor.reports.rca.incident import Incident


def section(incident: Incident) -> Section | None:
    """Return the changed answers; nothing where nothing was repaired, or nothing changed."""
    after = {result.code: result for result in incident.run.after or ()}
    rows = []
    for result in incident.run.before:
        later = after.get(result.code)
        if later is None or not (result.findings or later.status is not result.status):
            continue
        if state(result) != state(later):
            rows.append((f"{result.code} {result.name}", _mark(result), _mark(later)))
    return Section("Before and after", (Table(("check", "before", "after"), tuple(rows)),)) if rows else None


def state(result: CheckResult) -> str:
    """Return what a check says: what it found, else its status with what it saw."""
    if result.findings:
        return joined(finding.symptom for finding in result.findings)
    words = " · ".join(observation.text for observation in result.observations) or result.reason
    return f"{result.status}: {words}" if words else str(result.status)


def _mark(result: CheckResult) -> Mark:
    felt = any(finding.severity.rank for finding in result.findings)
    tone = Tone.GOOD if result.status is Status.PASS else Tone.OPEN if felt else Tone.NEUTRAL
    return Mark(state(result), tone)
