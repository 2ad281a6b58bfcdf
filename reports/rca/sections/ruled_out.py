"""What it is not: hypotheses that a measurement refuted, kept so that nobody has to suspect them again."""

from __future__ import annotations

from doctor.reports.rca.document import Section, Table
from doctor.reports.rca.incident import Incident


def section(incident: Incident) -> Section | None:
    """Return the refuted hypotheses; nothing where none was looked into."""
    rows = tuple((one.hypothesis, one.evidence, one.check) for one in incident.run.diagnosis.ruled_out)
    return Section("Ruled out", (Table(("hypothesis", "refuted by", "check"), rows),)) if rows else None
