"""What is worth knowing and stops nothing."""

from __future__ import annotations

from doctor.reports.rca.document import Items, Section
from doctor.reports.rca.incident import Incident


def section(incident: Incident) -> Section | None:
    """Return the advice; nothing where there is none."""
    findings = incident.found(incident.run.diagnosis.advice)
    lines = (f"{one.code} ({one.severity}): {one.symptom}" for one in findings)
    return Section("Also seen", (Items.of(*lines),)) if findings else None
