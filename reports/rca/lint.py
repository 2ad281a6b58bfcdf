"""Reads a report against the run that it is made of: what a careful editor would not let pass.

- **provenance**: a number that neither stands in the run record nor is a fact of its section with a source.
- **mark**: a number for which only an estimate or a claim speaks, without the word beside it.
- **contradiction**: one fact with two values, a fact that a recount does not give, or two verdicts on one thing.
- **unverified**: something called done, repaired, gone or proved that no later check or proof bears out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from doctor.api import Evidence, Finding, Provenance, RepairStatus, Run
from doctor.reports.rca.document import Document, Fact, Mark, Paragraph, Section, Tone, marks, texts
from doctor.reports.rca.incident import HELD, UNSETTLED, Incident, moment, seconds, time_of, weakest

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DONE = re.compile(r"\b(?:repaired|removed|fixed|resolved|done)\b")
_PROVED = re.compile(r"(?<!not )\bproved\b")
_STRENGTH = (Provenance.CLAIMED, Provenance.ESTIMATED, Provenance.MEASURED)

RECOUNTS: Mapping[str, Callable[[Run], int]] = {
    "root causes": lambda run: len(run.diagnosis.roots),
    "repairs": lambda run: len(run.repairs),
    "repairs verified": lambda run: sum(repair.status is RepairStatus.VERIFIED for repair in run.repairs),
    "findings open": lambda run: len(Incident(run).still_open),
    "checks": lambda run: len(run.current),
}
"""Facts that can be counted in the record alone, whatever a section says."""


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that may not be said like this; ``section`` is empty for the verdict."""

    rule: str
    section: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}, {self.section or 'verdict'}: {self.text}"


def objections(document: Document, run: Run) -> tuple[Objection, ...]:
    """Return what must not be said like this, in the order of the report."""
    borne_out = _borne_out(run)
    known = numbers_of(run)
    above = Section("", (Paragraph(document.verdict),), tuple(fact for one in document.sections for fact in one.facts))
    found = [*_numbers(above, known, run), *_verdict(document, run)]
    for section in document.sections:
        found += _numbers(section, known, run)
        found += _done(section, borne_out, run)
    found += _facts(document, run)
    found += _verdicts(document)
    return tuple(dict.fromkeys(found))


def numbers_of(run: Run) -> dict[str, Provenance]:
    """Return every number of a run record, as a report may write it, with the best that speaks for it."""
    known: dict[str, Provenance] = {}
    for text, provenance in _sayings(run, Provenance.MEASURED):
        for number in _NUMBER.findall(text):
            known[number] = max(known.get(number, provenance), provenance, key=_STRENGTH.index)
    return known


def _sayings(value: Any, provenance: Provenance) -> Iterator[tuple[str, Provenance]]:
    """Yield each text, number and time of a record as it is shown, with its provenance."""
    match value:
        case bool() | Enum() | None:
            return
        case str():
            yield value, provenance
            if "T" in value and (time := time_of(value)) is not None:  # of a line of a log, to the millisecond
                yield moment(time), provenance
        case int():
            yield from ((str(value), provenance), (f"{value:,}", provenance))
        case float():
            yield seconds(value), provenance
        case datetime():
            yield moment(value), provenance
        case Mapping():
            for key, item in value.items():
                yield str(key), provenance
                yield from _sayings(item, provenance)
        case tuple() | list():
            for item in value:
                yield from _sayings(item, provenance)
        case Evidence():
            yield value.source, Provenance.MEASURED
            yield value.text, value.provenance
        case Finding():
            yield from _of_finding(value)
        case _ if is_dataclass(value):
            for field in fields(value):
                yield from _sayings(getattr(value, field.name), provenance)
            yield from ((moment(end), provenance) for end in _end(value))


def _end(value: Any) -> Iterator[datetime]:
    """Yield when something ended of which the record has the beginning and how long it took."""
    started, took = getattr(value, "started_at", None), getattr(value, "duration", None)
    if started is not None and took is not None:
        yield started + timedelta(seconds=took)


def _of_finding(finding: Finding) -> Iterator[tuple[str, Provenance]]:
    """Yield what a finding says: its words are worth what its evidence is worth, where it stands is measured."""
    said = frozenset({"symptom", "cause", "impacts"})
    for field in fields(finding):
        worth = weakest(finding.evidence) if field.name in said else Provenance.MEASURED
        yield from _sayings(getattr(finding, field.name), worth)


def _numbers(section: Section, known: Mapping[str, Provenance], run: Run) -> Iterator[Objection]:
    sourced = [fact for fact in section.facts if fact.source]
    counted = {number for fact in sourced for number in _NUMBER.findall(f"{fact.shown} {fact.value}")}
    counted |= {str(number) for number in range(1, len(run.diagnosis.roots) + 1)}  # the causes are numbered
    for text in (one for block in section.blocks for one in texts(block)):
        for number in _NUMBER.findall(text):
            if number in counted:
                continue
            provenance = known.get(number)
            if provenance is None:
                yield Objection("provenance", section.title, f"nothing says where {number} comes from: {text}")
            elif provenance is not Provenance.MEASURED and str(provenance) not in text:
                yield Objection("mark", section.title, f"{number} is {provenance}, which is not said: {text}")


def _done(section: Section, borne_out: frozenset[str], run: Run) -> Iterator[Objection]:
    """Object to a good mark on what no check and no proof bears out."""
    for mark in (one for block in section.blocks for one in marks(block)):
        if mark.tone is Tone.GOOD and mark.subject and mark.subject not in borne_out:
            yield Objection("unverified", section.title, f"{mark.text!r} is said of {_called(mark.subject, run)}")


def _borne_out(run: Run) -> frozenset[str]:
    """Return what may be called good: stages that passed, and what the last check does not find any more.

    Where there was no check after the repairs, their own word is all there is.
    """
    stages = run.verification.stages if run.verification is not None else ()
    passed = {stage.name for stage in stages if stage.passed} - {stage.name for stage in stages if not stage.passed}
    if run.after is None:
        held = {repair.fingerprint for repair in run.repairs if repair.status in HELD}
        return frozenset(passed | (held - {one.fingerprint for one in run.repairs if one.status not in HELD}))
    found = {finding.fingerprint for result in run.after for finding in result.findings}
    unsettled = {repair.fingerprint for repair in run.repairs if repair.status in UNSETTLED}
    known = {finding.fingerprint for finding in run.findings} | {repair.fingerprint for repair in run.repairs}
    return frozenset(passed | (known - found - unsettled))


def _called(subject: str, run: Run) -> str:
    try:
        finding = run.finding(subject)
    except KeyError:
        return subject
    return f"{finding.code} {finding.symptom}"


def _verdict(document: Document, run: Run) -> Iterator[Objection]:
    incident = Incident(run)
    names = {cause.name for cause in incident.causes}
    words = document.verdict
    for name in sorted(names, key=len, reverse=True):
        words = words.replace(name, "")
    if _DONE.search(words) and not incident.taken_back and not incident.are_removed:
        yield Objection("unverified", "", "a cause is called removed, and no later check says that it is gone")
    if _PROVED.search(words) and not _is_proved(run):
        yield Objection("unverified", "", "it is called proved, and no verification after the repairs has passed")


def _is_proved(run: Run) -> bool:
    proof, repaired = run.verification, Incident(run).ended_at
    if proof is None or not proof.passed or not all(stage.passed for stage in proof.stages):
        return False
    return proof.started_at is None or repaired is None or proof.started_at >= repaired


def _facts(document: Document, run: Run) -> Iterator[Objection]:
    values: dict[str, dict[int | float, str]] = defaultdict(dict)
    for section in document.sections:
        for fact in section.facts:
            values[fact.key].setdefault(fact.value, section.title)
            yield from _recounted(fact, section, run)
    for key, seen in values.items():
        if len(seen) > 1:
            told = ", ".join(f"{value:,} in {title}" for value, title in seen.items())
            yield Objection("contradiction", next(iter(seen.values())), f"{key}: {told}")


def _recounted(fact: Fact, section: Section, run: Run) -> Iterator[Objection]:
    recount = RECOUNTS.get(fact.key)
    if recount is not None and recount(run) != fact.value:
        yield Objection(
            "contradiction", section.title, f"{fact.key}: {fact.shown} here, {recount(run):,} in the record"
        )


def _verdicts(document: Document) -> Iterator[Objection]:
    """Object to one thing that is well in one section and not in another."""
    seen: dict[str, dict[bool, tuple[Mark, str]]] = defaultdict(dict)
    for section in document.sections:
        for mark in (one for block in section.blocks for one in marks(block)):
            if mark.subject and mark.tone in (Tone.GOOD, Tone.BAD):
                seen[mark.subject].setdefault(mark.tone is Tone.GOOD, (mark, section.title))
    for both in seen.values():
        if len(both) > 1:
            (good, here), (bad, there) = both[True], both[False]
            yield Objection("contradiction", there, f"{bad.text!r} here, {good.text!r} in {here}")
