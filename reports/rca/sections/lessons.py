"""What this run teaches: each sentence rests on something that was found in it."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import Confidence, RepairStatus
from doctor.reports.rca.document import Items, Section
from doctor.reports.rca.incident import Incident


def section(incident: Incident) -> Section | None:
    """Return the lessons; nothing where nothing was wrong."""
    lines = tuple(_lessons(incident))
    return Section("Lessons", (Items.of(*lines),)) if lines else None


def _lessons(incident: Incident) -> Iterator[str]:
    causes = incident.causes
    silent = dict.fromkeys(effect.finding.code for cause in causes for effect in cause.contributing)
    if silent:
        yield f"A failure that is logged and dropped is an outage without an alarm ({', '.join(silent)})."
    hidden = [cause.root.code for cause in causes if cause.root.latent_behind]
    if hidden:
        yield f"One cause hid another: {', '.join(hidden)} would have shown only after the repair before it."
    if incident.left_over:
        codes = ", ".join(dict.fromkeys(finding.code for finding in incident.left_over))
        yield f"What was stored while something was broken stays broken when the cause is gone ({codes})."
    well = [one.hypothesis for one in incident.run.diagnosis.ruled_out if one.hypothesis.endswith(" down")]
    if causes and well:
        yield f"Servers that are up prove no pipeline: ruled out by measurement were {', '.join(well)}."
    if any(repair.status is RepairStatus.ROLLED_BACK for repair in incident.run.repairs):
        yield "A repair that looked right did not help, and was taken back: only the check afterwards tells."
    if causes and all(cause.confidence is Confidence.CONFIRMED for cause in causes):
        yield "Every cause is confirmed by its repair: the effects went away with it."
    if causes and incident.run.verification is None:
        yield "Not proved yet: no message has been sent through the chain since."
