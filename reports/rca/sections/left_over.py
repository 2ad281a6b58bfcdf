"""The damage of the past: it stays when its cause is gone."""

from __future__ import annotations

from doctor.reports.rca.document import Items, Paragraph, Section
from doctor.reports.rca.incident import Incident, place


def section(incident: Incident) -> Section | None:
    """Return what is left over; nothing where nothing is."""
    if not incident.left_over:
        return None
    intro = Paragraph(
        "These rows were stored while something was broken. They stay as they are when the cause is repaired, and need "
        "a repair of their own."
    )
    lines = (f"{one.code} {place(one)}: {one.symptom}" for one in incident.left_over)
    return Section("Left over from before", (intro, Items.of(*lines)))
