"""What the database and the logs say of it: before, and after the repairs."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import CheckResult, EvidenceKind, Status, Witness
from doctor.reports.rca.document import Block, Cell, Mark, Paragraph, Section, Table, Tone
from doctor.reports.rca.incident import Incident, moment

OF_DATA = frozenset({"database", "agents", "embeddings", "chain"})
"""The areas whose checks ask the database."""


def section(incident: Incident) -> Section | None:
    """Return both; nothing where nothing was wrong and no log was read."""
    if not (incident.causes or incident.run.repairs or incident.run.diagnosis.witnesses):
        return None
    return Section("Database and logs", (*_database(incident), *_logs(incident)))


def _database(incident: Incident) -> Iterator[Block]:
    yield Paragraph("In the database", strong=True)
    after = {result.code: result for result in incident.run.after or ()}
    rows: list[tuple[Cell, ...]] = []
    for result in incident.run.before:
        if result.area in OF_DATA and (result.findings or _told(result)):
            later = (_mark(after[result.code]),) if result.code in after else ("",)
            rows.append((f"{result.code} {result.name}", _mark(result), *(later if incident.is_repaired else ())))
    if rows:
        yield Table(("question", "before", "after") if incident.is_repaired else ("question", "answer"), tuple(rows))
    else:
        yield Paragraph("No check asked a database in this run.")
    asked = dict.fromkeys(
        one.source for finding in incident.run.findings for one in finding.evidence if one.kind is EvidenceKind.SQL
    )
    if asked:
        yield Paragraph(f"Asked of it, in transactions that may only read: {'; '.join(asked)}.")


def _told(result: CheckResult) -> str:
    return " · ".join(one.text for one in result.observations)


def _mark(result: CheckResult) -> Mark:
    if result.findings:
        return Mark("; ".join(finding.symptom for finding in result.findings), Tone.OPEN)
    tone = Tone.GOOD if result.status is Status.PASS else Tone.NEUTRAL
    return Mark(_told(result) or result.reason or str(result.status), tone)


def _logs(incident: Incident) -> Iterator[Block]:
    yield Paragraph("In the logs", strong=True)
    witnesses = incident.run.diagnosis.witnesses
    if not witnesses:
        yield Paragraph(
            "No known line: no log was read in this run, or none had one. `doctor check --logs LOG` reads logs as well."
        )
        return
    rows = tuple(
        (
            f"`{one.signature}` {one.title}",
            f"{one.count:,}",
            one.first or "no time",
            one.last or "no time",
            _belongs(one, incident),
            one.place,
        )
        for one in witnesses
    )
    yield Table(("line", "times", "first", "last", "belongs to", "for example at"), rows, frozenset({1}))
    yield Paragraph("A line witnesses; it proves nothing. Its times are those of the clock that wrote it.")
    if incident.run.checked_again_at is not None:
        yield Paragraph(_since(incident))


def _belongs(witness: Witness, incident: Incident) -> str:
    codes = dict.fromkeys(incident.run.finding(one).code for one in witness.explained_by)
    return ", ".join(codes) if codes else "nothing that was found"


def _since(incident: Incident) -> str:
    """Say whether lines were written after the last check began."""
    again = incident.run.checked_again_at
    assert again is not None
    later = [one.signature for one in incident.run.diagnosis.witnesses if one.last >= again.isoformat()]
    undated = [one.signature for one in incident.run.diagnosis.witnesses if not one.last]
    said = f"since then: {', '.join(f'`{name}`' for name in later)}" if later else "none since then, as far as was read"
    rest = f"; without a time: {', '.join(f'`{name}`' for name in undated)}" if undated else ""
    return f"The last check began at {moment(again)}; of these lines, {said}{rest}. Silence alone proves nothing."
