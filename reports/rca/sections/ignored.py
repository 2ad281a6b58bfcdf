"""What was found and set aside by a comment in the source or by the configuration, with the reason."""

from __future__ import annotations

from doctor.reports.rca.document import Items, Section
from doctor.reports.rca.incident import Incident, place


def section(incident: Incident) -> Section | None:
    """Return what was set aside; nothing where nothing was."""
    lines = [
        f"{each.finding.code} at {place(each.finding)}: {each.finding.symptom} "
        f"({each.origin}: {each.reason}{f', until {each.until}' if each.until else ''})"
        for each in incident.run.suppressions
    ]
    return Section("Ignored", (Items.of(*lines),)) if lines else None
