"""What worsens causes and stands with none of this run."""

from __future__ import annotations

from doctor.reports.rca.document import Item, Items, Section
from doctor.reports.rca.incident import Incident, place
from doctor.reports.rca.sections.root_causes import option_item


def section(incident: Incident) -> Section | None:
    """Return it with place, evidence and options; nothing where there is none."""
    if not incident.contributing:
        return None
    items = tuple(
        Item(
            f"{finding.code} ({finding.severity}) at {place(finding)}: {finding.symptom}",
            (
                Items(
                    (
                        *(Item(f"evidence: {one.source}: {one.text} ({one.provenance})") for one in finding.evidence),
                        *map(option_item, finding.fixes),
                    )
                ),
            ),
        )
        for finding in incident.contributing
    )
    return Section("Contributes", (Items(items),))
