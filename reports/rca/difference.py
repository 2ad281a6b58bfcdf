"""What changed between two runs: causes and findings that went, came, or say something else now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from doctor.api import CheckResult, Finding, Run, counted, status_sentence
from doctor.reports.rca.document import Block, Cell, Document, Items, Mark, Paragraph, Section, Table, Tone
from doctor.reports.rca.incident import Cause, Incident, moment, place
from doctor.reports.rca.shortening import shortened

EXPLAINED = "Everything is compared as each run left it, after its own repairs."


def difference_of(before: Run, after: Run) -> Document:
    """Return what a reader of the first run's report must know to read the second's."""
    old, new = Incident(before), Incident(after)
    then, now = _findings(old), _findings(new)
    gone, come = [one for one in then if one not in now], [one for one in now if one not in then]
    stayed = sum(one in now for one in then)
    words = f"{counted(len(gone), 'finding')} gone, {len(come)} new, {stayed} still there"
    notes = [EXPLAINED]
    if before.target.name != after.target.name:
        notes.insert(0, f"These are two targets: {before.target.name}, then {after.target.name}.")
    sections = (
        Section("The two runs", (_runs(old, new),)),
        *_when(Section("Root causes", tuple(_causes(old, new))), bool(old.causes or new.causes)),
        *_when(Section("Findings", tuple(_changes(then, now))), bool(then or now)),
        *_when(Section("Checks", tuple(_checks(old, new))), bool([*_checks(old, new)])),
        *_when(Section("Around it", tuple(_around(before, after))), bool([*_around(before, after)])),
    )
    return Document(
        title=f"What changed: {after.target.name}",
        verdict=words if gone or come or stayed else "nothing was found, then or now",
        tone=Tone.BAD if come else Tone.GOOD if gone or not stayed else Tone.NEUTRAL,
        properties={"from": f"`{before.id}`", "to": f"`{after.id}`"},
        notes=tuple(notes),
        sections=tuple(map(shortened, sections)),
    )


def _when(section: Section, holds: bool) -> tuple[Section, ...]:
    return (section,) if holds else ()


def _runs(old: Incident, new: Incident) -> Table:
    told = zip(_told(old), _told(new), strict=True)
    return Table(("", "from", "to"), tuple((name, then, now) for (name, then), (_, now) in told))


def _told(incident: Incident) -> Iterator[tuple[str, str]]:
    run = incident.run
    yield "started", moment(run.started_at)
    yield "says", status_sentence(run)
    yield "checks", f"{len(run.current):,}"
    yield "root causes", f"{len(incident.causes):,}"
    yield "findings at its end", f"{len(_findings(incident)):,}"
    yield "repairs", f"{len(run.repairs):,}"
    yield "proof", _proof(run)


def _proof(run: Run) -> str:
    if run.verification is None:
        return "none"
    return "every stage proved" if run.verification.passed else f"stopped at `{run.verification.stopped_at}`"


def _findings(incident: Incident) -> dict[str, Finding]:
    return {finding.fingerprint: finding for result in incident.run.current for finding in result.findings}


def _key(cause: Cause) -> tuple[str, str]:
    """Return what a cause is about: its code, and what tells it from others of this code."""
    return cause.root.code, cause.first.group


def _causes(old: Incident, new: Incident) -> Iterator[Block]:
    then, now = ({_key(cause): cause for cause in incident.causes} for incident in (old, new))
    rows: list[tuple[Cell, ...]] = []
    for key in (*now, *(one for one in then if one not in now)):
        cause = now.get(key) or then[key]
        change = _without(then[key], old) if key not in now else _with(now[key], new, then.get(key), old)
        rows.append((f"{cause.root.code} {cause.name}", cause.first.symptom, change))
    yield Table(("cause", "what is seen", "change"), tuple(rows))


def _without(then: Cause, old: Incident) -> Mark:
    """Say what became of a cause that the second run does not find."""
    return Mark("gone, as the first run left it" if _is_over(then, old) else "gone", Tone.GOOD)


def _with(now: Cause, new: Incident, then: Cause | None, old: Incident) -> Mark:
    """Say what became of a cause that the second run finds."""
    if _is_over(now, new):
        return Mark("repaired in the second run", Tone.GOOD)
    if then is None:
        return Mark("new", Tone.BAD)
    if _is_over(then, old):
        return Mark("came back after its repair", Tone.BAD)
    if then.confidence is not now.confidence:
        return Mark(f"still there; confidence {then.confidence}, then {now.confidence}", Tone.OPEN)
    return Mark("still there", Tone.OPEN)


def _is_over(cause: Cause, incident: Incident) -> bool:
    """Whether a run left nothing of a cause."""
    return all(map(incident.is_gone, cause.findings))


def _changes(then: Mapping[str, Finding], now: Mapping[str, Finding]) -> Iterator[Block]:
    rows: list[tuple[Cell, ...]] = []
    for fingerprint, finding in now.items():
        if fingerprint not in then:
            rows.append((f"{finding.code} {place(finding)}", "", finding.symptom, Mark("new", Tone.BAD)))
        elif (change := _finding_change(then[fingerprint], finding)) is not None:
            rows.append((f"{finding.code} {place(finding)}", then[fingerprint].symptom, finding.symptom, change))
    for fingerprint, finding in then.items():
        if fingerprint not in now:
            rows.append((f"{finding.code} {place(finding)}", finding.symptom, "", Mark("gone", Tone.GOOD)))
    same = [finding for fingerprint, finding in now.items() if then.get(fingerprint) == finding]
    if rows:
        yield Table(("finding", "then", "now", "change"), tuple(rows))
    if same:
        yield Paragraph("Unchanged", strong=True)
        yield Items.of(*(f"{finding.code} {place(finding)}: {finding.symptom}" for finding in same))


def _finding_change(then: Finding, now: Finding) -> Mark | None:
    if then == now:
        return None
    if then.severity is not now.severity:
        return Mark(f"{then.severity}, now {now.severity}", Tone.OPEN)
    if then.resource.location != now.resource.location:
        return Mark(f"was at {then.resource.location}", Tone.NEUTRAL)
    return Mark("says something else" if then.symptom != now.symptom else "other evidence", Tone.NEUTRAL)


def _checks(old: Incident, new: Incident) -> Iterator[Block]:
    then, now = ({result.code: result for result in incident.run.current} for incident in (old, new))
    rows: list[tuple[Cell, ...]] = []
    for code in sorted({*then, *now}):
        before, after = then.get(code), now.get(code)
        if (before and before.status) is not (after and after.status):
            name = (after or before or then[code]).name
            rows.append((f"{code} {name}", _answer(before), _answer(after)))
    if rows:
        yield Table(("check", "then", "now"), tuple(rows))


def _answer(result: CheckResult | None) -> str:
    if result is None:
        return "not asked"
    return f"{result.status}: {result.reason}" if result.reason else str(result.status)


def _around(before: Run, after: Run) -> Iterator[Block]:
    """Tell what else is different: versions, configuration, the systems that were looked at."""
    rows: list[tuple[Cell, ...]] = []
    for name in sorted({*before.versions, *after.versions}):
        then, now = before.versions.get(name, "none"), after.versions.get(name, "none")
        if then != now:
            rows.append((f"version of {name}", then, now))
    if before.configuration_fingerprint != after.configuration_fingerprint:
        then, now = (one.configuration_fingerprint or "none" for one in (before, after))
        rows.append(("configuration", f"`{then}`", f"`{now}`"))
    places = [{one.kind: one.address for one in run.target.endpoints} for run in (before, after)]
    for kind in sorted({*places[0], *places[1]}):
        then, now = (one.get(kind, "none") for one in places)
        if then != now:
            rows.append((kind, then, now))
    if rows:
        yield Table(("what", "then", "now"), tuple(rows))
