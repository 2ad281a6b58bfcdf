"""The verdict in a table: what a reader must know who reads nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import ExitCode, RepairStatus, Run, Status, counted, exit_code, status_sentence, status_word
from doctor.reports.rca.document import Cell, Fact, Mark, Section, Table, Tone
from doctor.reports.rca.incident import Incident


def section(incident: Incident) -> Section:
    """Return the table of what was found, done and proved."""
    rows = tuple(_rows(incident))
    return Section("Status", (Table(("what", "state"), rows),), tuple(_facts(incident)))


def _rows(incident: Incident) -> Iterator[tuple[Cell, Cell]]:
    causes = incident.causes
    if causes:
        gone = sum(all(map(incident.is_gone, cause.findings)) for cause in causes)
        tone = Tone.GOOD if gone == len(causes) else Tone.BAD
        after = f", {gone} gone" if incident.is_repaired else ""
        yield "root causes", Mark(f"{len(causes)} found{after}", tone)
    else:
        yield "root causes", Mark("none found", Tone.NEUTRAL)
    if incident.run.repairs:
        yield "repairs", _repairs(incident)
    yield "last check", _last_check(incident)
    yield "end to end", _proof(incident)
    left = incident.still_open
    if incident.is_repaired:
        codes = ", ".join(dict.fromkeys(finding.code for finding in left))
        words = f"{counted(len(left), 'finding')}: {codes}" if left else "nothing"
        yield "still open", Mark(words, Tone.OPEN if left else Tone.GOOD)
    if incident.unknown:
        yield "could not be told", Mark(", ".join(result.code for result in incident.unknown), Tone.OPEN)


def _repairs(incident: Incident) -> Mark:
    repairs = incident.run.repairs
    verified = sum(repair.status is RepairStatus.VERIFIED for repair in repairs)
    others = sorted({str(one.status) for one in repairs if one.status is not RepairStatus.VERIFIED})
    rest = f", the rest {', '.join(others)}" if others else ""
    tone = Tone.GOOD if verified == len(repairs) else Tone.OPEN
    return Mark(f"{verified} of {len(repairs)} verified: the check no longer finds what it found{rest}", tone)


def _last_check(incident: Incident) -> Mark:
    run = incident.run
    if incident.taken_back or status_word(run) in ("warnings", "incomplete", "partial"):
        return Mark(status_sentence(run), Tone.OPEN)
    return Mark(status_sentence(run), Tone.GOOD if exit_code(run) is ExitCode.OK else Tone.BAD)


def _proof(incident: Incident) -> Mark:
    verification = incident.run.verification
    if verification is None:
        return Mark("not proved: no message was sent through the chain in this run", Tone.OPEN)
    if verification.passed:
        return Mark(f"proved: {counted(verification.canaries, 'message')} went through every stage", Tone.GOOD)
    return Mark(f"not proved: it stopped at `{verification.stopped_at}`", Tone.BAD)


def _facts(incident: Incident) -> Iterator[Fact]:
    repairs = incident.run.repairs
    verified = sum(repair.status is RepairStatus.VERIFIED for repair in repairs)
    gone = sum(all(map(incident.is_gone, cause.findings)) for cause in incident.causes)
    yield Fact("root causes", len(incident.causes), "the diagnosis")
    yield Fact("root causes gone", gone, "the last check")
    yield Fact("repairs", len(repairs), "the repairs of the run")
    yield Fact("repairs verified", verified, "the repairs of the run")
    undone = sum(repair.status is RepairStatus.UNDONE for repair in repairs)
    yield Fact("repairs taken back", undone, "the repairs of the run")
    yield Fact("findings open", len(incident.still_open), "the last check")
    yield from sentence_facts(incident.run)


def sentence_facts(run: Run) -> Iterator[Fact]:
    """Yield the numbers that the sentence on the last check may hold."""
    skipped = sum(result.status is Status.SKIP for result in run.current)
    felt = sum(finding.severity.rank > 0 for result in run.current for finding in result.findings)
    yield Fact("checks", len(run.current), "the last examination")
    yield Fact("checks skip", skipped, "the last examination")
    yield Fact("findings at or above warning", felt, "the last check")
