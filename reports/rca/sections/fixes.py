"""What was done: each repair with its change, its risk, its way back, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import Applicability, Repair, RepairStatus
from doctor.reports.rca.document import Block, Cell, Code, Fact, Mark, Paragraph, Section, Subsection, Table, Tone
from doctor.reports.rca.incident import HELD, Incident, seconds

RISKS = {
    Applicability.SAFE: "safe: it changes what it names, and nothing else",
    Applicability.UNSAFE: "unsafe: it changes behaviour, costs something, or cannot be taken back",
    Applicability.MANUAL: "by hand",
}


def section(incident: Incident) -> Section | None:
    """Return the repairs in the order in which they were made; nothing where there were none."""
    repairs = incident.run.repairs
    if not repairs:
        return None
    rows = tuple((one.code, one.title, mark(one, incident), one.outcome) for one in repairs)
    details = (Subsection(f"{one.code}: {one.title}", tuple(_details(one, incident))) for one in repairs)
    back = Paragraph(
        f"`doctor undo {incident.run.id}` takes back what can be taken back, as long as the target's `.doctor/runs` is "
        "there."
    )
    head = ("code", "fix", "status", "outcome")
    facts = (Fact("repairs", len(repairs), "the repairs of the run"),)
    return Section("Fixes", (Table(head, rows), *details, back), facts)


def mark(repair: Repair, incident: Incident) -> Mark:
    """Return what became of a repair; only one that was verified, and of which nothing is found again, is done."""
    if repair.status in HELD and repair.fingerprint in incident.present and incident.is_repaired:
        return Mark(f"{repair.status}, but the last check finds it again", Tone.BAD)
    if repair.status in HELD:
        return Mark(str(repair.status), Tone.GOOD, repair.fingerprint)
    bad = repair.status in (RepairStatus.ROLLED_BACK, RepairStatus.REFUSED)
    return Mark(str(repair.status), Tone.BAD if bad else Tone.OPEN)


def _details(repair: Repair, incident: Incident) -> Iterator[Block]:
    finding = incident.finding(repair.fingerprint)
    option = next((one for one in finding.fixes if one.title == repair.title), None)
    rows: list[tuple[Cell, ...]] = [("applied", mark(repair, incident)), ("risk", RISKS[repair.applicability])]
    if option is not None:
        rows.append(("why this way", option.reason))
        if option.tradeoff:
            rows.append(("price", option.tradeoff))
        others = [f"{one.title} ({one.applicability})" for one in finding.fixes if one is not option]
        if others:
            rows.append(("not taken", "; ".join(others)))
    if repair.touched:
        rows.append(("touched", ", ".join(repair.touched)))
    if repair.duration:
        rows.append(("took", seconds(repair.duration)))
    yield Table(("", ""), tuple(rows))
    if repair.preview:
        yield Code(repair.preview, "diff" if repair.preview.startswith(("---", "diff")) else "sql")
