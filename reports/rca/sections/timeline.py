"""When what happened, and how long it took to see it, to understand it and to repair it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from doctor.reports.rca.document import Fact, Items, Section, Table
from doctor.reports.rca.incident import Incident, moment, seconds, time_of

UNDATED = "not known"


def section(incident: Incident) -> Section | None:
    """Return the dated events and the three lengths of time, each with what it is measured between.

    Nothing where nothing was wrong.
    """
    if not (incident.run.findings or incident.run.repairs):
        return None
    events = sorted(_events(incident), key=lambda event: event[0])
    table = Table(("when", "what"), tuple((moment(when), what) for when, what in events))
    return Section("Timeline", (table, Items.of(*_lengths(incident))), tuple(_facts(incident)))


def _events(incident: Incident) -> Iterator[tuple[datetime, str]]:
    run = incident.run
    for witness in run.diagnosis.witnesses:
        for text, which in ((witness.first, "first"), (witness.last, "last")):
            when = time_of(text)
            if when is not None and (which == "first" or witness.last != witness.first):
                yield when, f"the {which} line `{witness.signature}` in the log, by the clock of the log"
    yield run.started_at, f"the check began (run `{run.id}`)"
    yield run.started_at + timedelta(seconds=run.duration), "the diagnosis was there"
    for repair in run.repairs:
        if repair.started_at is not None:
            yield repair.started_at, f"{repair.code}: {repair.title} ({repair.status}, {seconds(repair.duration)})"
    if run.checked_again_at is not None:
        yield run.checked_again_at, "the check after the repairs began"
    if run.verification is not None and run.verification.started_at is not None:
        end = f"stopped at `{run.verification.stopped_at}`" if run.verification.stopped_at else "proved every stage"
        yield run.verification.started_at, f"the verification began; it {end}"


def _lengths(incident: Incident) -> Iterator[str]:
    facts = {fact.key: fact for fact in _facts(incident)}
    detected = facts.get("seconds to detect")
    if detected is None:
        yield f"time to detect: {UNDATED}, because nothing dates the beginning"
    else:
        yield f"time to detect: {detected.shown} s, from {detected.source}"
    yield f"time to diagnose: {facts['seconds to diagnose'].shown} s, from {facts['seconds to diagnose'].source}"
    if incident.run.repairs:
        fixing = facts["seconds to fix"]
        yield f"time to fix: {fixing.shown} s, from {fixing.source}"
    else:
        yield "time to fix: nothing was repaired in this run"


def _facts(incident: Incident) -> Iterator[Fact]:
    run = incident.run
    lines = (one for cause in incident.causes for one in cause.witnesses)
    firsts = [when for one in lines if (when := time_of(one.first)) is not None]
    if firsts and min(firsts) <= run.started_at:
        waited = (run.started_at - min(firsts)).total_seconds()
        yield Fact(
            "seconds to detect", round(waited, 1), "the first line that witnesses a cause to the start of the check"
        )
    yield Fact("seconds to diagnose", round(run.duration, 1), "the start of the check to the diagnosis")
    if not run.repairs:
        return
    diagnosed = run.started_at + timedelta(seconds=run.duration)
    ends = [one.started_at + timedelta(seconds=one.duration) for one in run.repairs if one.started_at is not None]
    if ends:
        spent = (max(ends) - diagnosed).total_seconds()
        yield Fact("seconds to fix", round(spent, 1), "the diagnosis to the end of the last repair")
    else:
        spent = sum(repair.duration for repair in run.repairs)
        yield Fact("seconds to fix", round(spent, 1), "the sum of what the repairs took by themselves")
