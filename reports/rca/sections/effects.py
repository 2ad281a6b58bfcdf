"""What merely follows from a root cause, and what made one silent."""

from __future__ import annotations

from doctor.reports.rca.document import Paragraph, Section, Table
from doctor.reports.rca.incident import Incident


def section(incident: Incident) -> Section | None:
    """Return each effect under its cause; nothing where none was observed."""
    rows = [
        (f"{effect.finding.code} {effect.finding.symptom}", cause.title, effect.how)
        for cause in incident.causes
        for effect in (*cause.effects, *cause.contributing)
    ]
    if not rows:
        return None
    intro = Paragraph(
        "An effect needs no repair of its own: it goes with its cause. What made a cause silent does not."
    )
    return Section("What follows from them", (intro, Table(("seen", "belongs to", "how"), tuple(rows))))
