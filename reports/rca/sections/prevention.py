"""Which gate would have caught each cause, and when."""

from __future__ import annotations

from collections.abc import Sequence

from doctor.api import EvidenceKind, Finding
from doctor.reports.rca.document import Paragraph, Section, Table
from doctor.reports.rca.incident import Incident
from doctor.reports.rca.sections.monitoring import EXIT_CODE, failing_on

IN_FILES = frozenset({EvidenceKind.CODE, EvidenceKind.CONFIG, EvidenceKind.GIT})
"""What is read from files alone: no server has to run for it."""


def section(incident: Incident) -> Section | None:
    """Return one gate per root cause and per what silences; nothing where there is none."""
    rows = [(cause.title, *_gate(cause.findings)) for cause in incident.causes]
    silencing = [effect.finding for cause in incident.causes for effect in cause.contributing]
    rows += [
        (f"{finding.code} {incident.name(finding.code)}", *_gate((finding,)))
        for finding in (*silencing, *incident.contributing)
    ]
    if not rows:
        return None
    intro = Paragraph(
        "Each command exits with 1 as soon as its cause is back, so it can stand in CI, in a timer or a probe."
    )
    head = ("cause", "when it can be caught", "by")
    return Section("Prevention", (intro, Table(head, tuple(dict.fromkeys(rows)))), (EXIT_CODE,))


def _gate(findings: Sequence[Finding]) -> tuple[str, str]:
    """Return when findings of one code can be caught, and by which command."""
    kinds = {fact.kind for finding in findings for fact in finding.evidence}
    severity = min((finding.severity for finding in findings), key=lambda one: one.rank)
    command = f"doctor check --select {findings[0].code}{failing_on(severity)}"
    if kinds and kinds <= IN_FILES:
        return "on every change, before it is merged: the files alone show it", f"`{command} --offline`"
    return "after every deployment, and from then on by a timer: only the running systems show it", f"`{command}`"
