"""What the last check of a repaired run still finds."""

from __future__ import annotations

from doctor.reports.rca.document import Item, Items, Section
from doctor.reports.rca.incident import Incident, place
from doctor.reports.rca.sections.root_causes import option_item


def section(incident: Incident) -> Section | None:
    """Return it with what could be done; nothing where nothing is left, or nothing was repaired."""
    items = tuple(
        Item(
            f"{finding.code} ({finding.severity}) {place(finding)}: {finding.symptom}",
            (Items(tuple(map(option_item, finding.fixes))),) if finding.fixes else (),
        )
        for finding in incident.still_open
    )
    return Section("Still open", (Items(items),)) if items else None
