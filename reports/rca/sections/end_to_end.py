"""The proof: messages through the real entrance, followed stage by stage."""

from __future__ import annotations

from doctor.api import counted
from doctor.reports.rca.document import Mark, Paragraph, Section, Table, Tone
from doctor.reports.rca.incident import Incident, seconds


def section(incident: Incident) -> Section | None:
    """Return the stages of the verification; that there was none is said where something was wrong."""
    verification = incident.run.verification
    if verification is None:
        if not incident.causes and not incident.run.repairs:
            return None
        text = "No message was sent through the chain in this run. `doctor verify` does it, and proves every stage."
        return Section("End to end", (Paragraph(text),))
    sent = (
        f"{counted(verification.canaries, 'canary message')}, marked `{verification.marker}`, through "
        f"{incident.run.target.name}: {verification.reason}."
    )
    rows = tuple(
        (
            stage.name,
            f"{stage.count:,}",
            f"{stage.expected:,}",
            seconds(stage.latency),
            Mark("yes" if stage.passed else "no", Tone.GOOD if stage.passed else Tone.BAD, stage.name),
            stage.detail,
        )
        for stage in verification.stages
    )
    head = ("stage", "count", "needed", "after", "proved", "detail")
    return Section("End to end", (Paragraph(sent), Table(head, rows, frozenset({1, 2, 3}))))
