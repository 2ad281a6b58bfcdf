"""Who felt what: every impact with the findings that say so."""

from __future__ import annotations

from doctor.reports.rca.document import Items, Paragraph, Section
from doctor.reports.rca.incident import Incident


def section(incident: Incident) -> Section:
    """Return what users of the pipeline feel: the effects first, then what else the findings say.

    Each with the codes that it comes from. What a hidden cause blocks is not felt yet, only once the causes before it
    are gone.
    """
    hidden = {one for cause in incident.causes if cause.root.latent_behind for one in cause.root.findings}
    roots = [finding for cause in incident.causes for finding in cause.findings]
    codes: dict[str, dict[str, None]] = {}
    for finding in (*incident.effects, *roots, *incident.run.findings):
        for impact in finding.impacts:
            later = ", once the causes before it are gone" if finding.fingerprint in hidden else ""
            codes.setdefault(impact, {})[finding.code + later] = None
    lines = [f"{impact} ({'; '.join(sources)})" for impact, sources in codes.items()]
    return Section("Impact", (Items.of(*lines) if lines else Paragraph("None measured."),))
