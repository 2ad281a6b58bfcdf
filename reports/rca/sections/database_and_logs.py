"""What the database and the logs say of it: before, and after the repairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

from doctor.api import CheckResult, EvidenceKind, Signal, Status, Witness
from doctor.reports.rca.document import Block, Cell, Mark, Paragraph, Section, Table, Tone, joined
from doctor.reports.rca.incident import Incident, moment, time_of

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
    asked = joined(
        one.source for finding in incident.run.findings for one in finding.evidence if one.kind is EvidenceKind.SQL
    )
    if asked:
        yield Paragraph(f"Asked of it, in transactions that may only read: {asked}.")


def _told(result: CheckResult) -> str:
    return " · ".join(one.text for one in result.observations)


def _mark(result: CheckResult) -> Mark:
    if result.findings:
        return Mark(joined(finding.symptom for finding in result.findings), Tone.OPEN)
    tone = Tone.GOOD if result.status is Status.PASS else Tone.NEUTRAL
    return Mark(_told(result) or result.reason or str(result.status), tone)


def _logs(incident: Incident) -> Iterator[Block]:
    yield Paragraph("In the logs", strong=True)
    diagnosis = incident.run.diagnosis
    if not diagnosis.witnesses and not diagnosis.signals:
        yield Paragraph(
            "No known line: no log was read in this run, or none had one. `doctor check --logs LOG` reads logs as well."
        )
        return
    if diagnosis.witnesses:
        rows = tuple(map(partial(_witness, incident), diagnosis.witnesses))
        yield Table(("line", "times", "first", "last", "belongs to", "for example at"), rows, frozenset({1}))
    if diagnosis.signals:
        yield Paragraph("Lines that tell of something that worked:")
        worked = tuple((_named(one), f"{one.count:,}", *_when(one)) for one in diagnosis.signals)
        yield Table(("line", "times", "first", "last"), worked, frozenset({1}))
    yield Paragraph("A line witnesses; it proves nothing. Its times are those of the clock that wrote it.")
    yield from map(Paragraph, _since(incident))


def _named(one: Witness | Signal) -> str:
    return f"`{one.signature}` {one.title}"


def _when(one: Witness | Signal) -> tuple[str, str]:
    return one.first or "no time", one.last or "no time"


def _witness(incident: Incident, one: Witness) -> tuple[Cell, ...]:
    codes = dict.fromkeys(incident.finding(fingerprint).code for fingerprint in one.explained_by)
    belongs = ", ".join(codes) if codes else "nothing that was found"
    return (_named(one), f"{one.count:,}", *_when(one), belongs, one.place)


def _since(incident: Incident) -> Iterator[str]:
    """Say which lines were written after the last repair: of trouble, and of what works."""
    repaired = incident.ended_at
    if repaired is None:
        return
    diagnosis = incident.run.diagnosis
    trouble, worked = (_later(each, repaired) for each in (diagnosis.witnesses, diagnosis.signals))
    since = f"Since the last repair ended, at {moment(repaired)}"
    yield f"{since}, of the lines of trouble {trouble or 'none was written, as far as was read'}."
    if worked:
        yield f"Of the lines of success {worked}: it is not silence alone."
    else:
        yield "No line of success is of later: silence alone proves nothing."


def _later(lines: Iterable[Witness | Signal], since: datetime) -> str:
    names = [f"`{one.signature}`" for one in lines if (last := time_of(one.last)) is not None and last > since]
    return f"{', '.join(names)} {'were' if len(names) > 1 else 'was'} written again" if names else ""
