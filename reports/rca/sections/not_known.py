"""What this report cannot say, and how it could be learnt."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import Status
from doctor.reports.rca.document import Item, Items, Section
from doctor.reports.rca.incident import Incident


def section(incident: Incident) -> Section | None:
    """Return the open questions; nothing where there are none."""
    items = tuple(_items(incident))
    return Section("Not known", (Items(items),)) if items else None


def _items(incident: Incident) -> Iterator[Item]:
    run = incident.run
    for one in run.diagnosis.unexplained:
        finding = incident.finding(one.fingerprint)
        yield Item(f"unexplained: {finding.code} {finding.symptom}", _questions(one.questions))
    for result in incident.unknown:
        yield Item(f"{result.code} {result.name}: {result.reason}")
    for witness in run.diagnosis.witnesses:
        if not witness.explained_by:
            title = f"in the log, and nothing explains it: {witness.title} (`{witness.signature}`, {witness.count:,} ×)"
            yield Item(title, _questions(witness.questions))
    if incident.causes:
        yield from _beginning(incident)
    blocked = [one for one in run.current if one.status is Status.SKIP and one.blocked_by]
    if blocked:
        yield Item("not asked, because something before it failed: " + ", ".join(one.code for one in blocked))


def _questions(questions: tuple[str, ...]) -> tuple[Items, ...]:
    return (Items.of(*questions),) if questions else ()


def _beginning(incident: Incident) -> Iterator[Item]:
    """Say what dates the beginning of the trouble, or that nothing does."""
    first = min((one.first for cause in incident.causes for one in cause.witnesses if one.first), default="")
    if first:
        yield Item(f"what triggered it; the first line that witnesses it is of {first}, by the clock of the log")
    else:
        yield Item(
            "what triggered it, and when it began: the checks read the present state, and no line of a log dates it. "
            "`doctor check --logs LOG` would; so would the history of the named files"
        )
