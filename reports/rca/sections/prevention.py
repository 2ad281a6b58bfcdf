"""Which gate would have caught each cause, and when."""

from __future__ import annotations

from doctor.api import EvidenceKind, Finding
from doctor.reports.rca.document import Paragraph, Section, Table
from doctor.reports.rca.incident import Cause, Incident

IN_FILES = frozenset({EvidenceKind.CODE, EvidenceKind.CONFIG, EvidenceKind.GIT})
"""What is read from files alone: no server has to run for it."""


def section(incident: Incident) -> Section | None:
    """Return one gate per root cause and per what silences; nothing where there is none."""
    rows = [(cause.title, *_gate(cause)) for cause in incident.causes]
    rows += [
        (
            f"{finding.code} {incident.name(finding.code)}",
            "on every change, before it is merged",
            f"`doctor check --offline --select {finding.code} --fail-on warning`",
        )
        for finding in _silencing(incident)
    ]
    if not rows:
        return None
    intro = Paragraph(
        "Each command exits with 1 as soon as its cause is back, so it can stand in CI, in a timer or a probe."
    )
    head = ("cause", "when it can be caught", "by")
    return Section("Prevention", (intro, Table(head, tuple(dict.fromkeys(rows)))))


def _gate(cause: Cause) -> tuple[str, str]:
    command = f"doctor check --select {cause.root.code}"
    if {one.kind for one in cause.evidence} <= IN_FILES:
        return "on every change, before it is merged: the files alone show it", f"`{command} --offline`"
    return "after every deployment, and from then on by a timer: only the running systems show it", f"`{command}`"


def _silencing(incident: Incident) -> list[Finding]:
    found = [effect.finding for cause in incident.causes for effect in cause.contributing]
    return [one for one in (*found, *incident.contributing) if {fact.kind for fact in one.evidence} <= IN_FILES]
