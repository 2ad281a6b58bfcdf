"""The files that repairs have changed."""

from __future__ import annotations

from doctor.reports.rca.document import Items, Section
from doctor.reports.rca.incident import Incident
from doctor.reports.rca.sections.summary import files


def section(incident: Incident) -> Section | None:
    """Return the changed files; nothing where none was."""
    lines = [f"`{file}`" for file in files(incident)]
    return Section("Files modified", (Items.of(*lines),)) if lines else None
