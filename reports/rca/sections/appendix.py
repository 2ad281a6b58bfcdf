"""Everything else that belongs to the record: what was asked, in which versions, and where numbers come from."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import Status, counted
from doctor.reports.rca.document import Block, Fact, Fold, Items, Paragraph, Section, Table
from doctor.reports.rca.incident import Incident, seconds


def section(incident: Incident) -> Section:
    """Return the checks with their answers, versions and signatures."""
    run = incident.run
    by_status = [(status, sum(one.status is status for one in run.current)) for status in Status]
    summary = ", ".join(f"{number:,} {status}" for status, number in by_status if number)
    asked = Paragraph(f"{counted(len(run.current), 'check')} in the last examination: {summary or 'none'}.")
    facts = (
        Fact("checks", len(run.current), "the last examination"),
        *(Fact(f"checks {status}", number, "the last examination") for status, number in by_status),
    )
    return Section("Appendix", (asked, *_details(incident)), facts)


def _details(incident: Incident) -> Iterator[Block]:
    run = incident.run
    rows = tuple(
        (f"{one.code} {one.name}", one.area, str(one.status), one.reason or "", seconds(one.duration))
        for one in run.current
    )
    if rows:
        head = ("check", "area", "status", "why not", "took")
        yield Fold("Every check with its answer", (Table(head, rows, frozenset({4})),))
    if run.diagnosis.witnesses:
        lines = (f"`{one.signature}`: {one.text}" for one in run.diagnosis.witnesses)
        yield Fold("A line of each signature, without secrets", (Items.of(*lines),))
    versions = [f"{name} {version}" for name, version in sorted(run.versions.items())]
    versions.append(f"configuration `{run.configuration_fingerprint or 'none'}`")
    yield Fold("Versions", (Items.of(*versions),))
