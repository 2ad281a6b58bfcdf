"""The systems that were looked at: where they are, in which version, and how they were before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from doctor.api import CheckResult, Status, by_area, state_of
from doctor.reports.rca.document import Block, Cell, Fact, Mark, Section, Table, Tone
from doctor.reports.rca.incident import Incident

TONES = {Status.PASS: Tone.GOOD, Status.SKIP: Tone.NEUTRAL, Status.UNKNOWN: Tone.OPEN}


def section(incident: Incident) -> Section:
    """Return the areas before and after, and the endpoints."""
    return Section("State of the systems", tuple(_tables(incident)), tuple(_facts(incident)))


def _facts(incident: Incident) -> Iterator[Fact]:
    for time, results in (("before", incident.run.before), ("after", incident.run.after or ())):
        for area, own in by_area(results).items():
            count = sum(len(result.findings) for result in own)
            yield Fact(f"findings in {area} {time}", count, "the checks of the area")


def _tables(incident: Incident) -> Iterator[Block]:
    run = incident.run
    after = by_area(run.after or ())
    rows: list[tuple[Cell, ...]] = []
    for name, results in by_area(run.before).items():
        later = (_state(after.get(name, ())),) if run.after is not None else ()
        rows.append((name, _state(results), *later))
    head = ("area", "before", "after") if run.after is not None else ("area", "state")
    yield Table(head, tuple(rows))
    endpoints = tuple((one.kind, one.address, one.origin) for one in run.target.endpoints)
    if endpoints:
        yield Table(("system", "address", "told by"), endpoints)


def _state(results: Sequence[CheckResult]) -> Mark:
    if not results:
        return Mark("", Tone.NEUTRAL)
    findings = [finding for result in results for finding in result.findings]
    if findings:
        codes = ", ".join(dict.fromkeys(finding.code for finding in findings))
        felt = any(finding.severity.rank for finding in findings)
        words = f"{len(findings)} finding{'s' * (len(findings) > 1)}: {codes}"
        return Mark(words, Tone.OPEN if felt else Tone.NEUTRAL)
    state = state_of(results, lambda _finding: 0)
    words = state.words if state.status is Status.SKIP else f"ok: {state.words}"
    return Mark("could not tell" if state.status is Status.UNKNOWN else words, TONES.get(state.status, Tone.NEUTRAL))
