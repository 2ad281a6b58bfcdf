"""Puts everything that was counted into a :class:`LogSummary`: in one order, whatever the order of the input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from doctor import __version__
from doctor.known_signature import SignatureKind
from doctor.log_summary import LogGroup, LogHypothesis, LogIssue, LogSignal, LogSite, LogSummary
from doctor.redaction import bounded
from doctor.triage.causes import confidence, independent, ordered, parents
from doctor.triage.grouping import Grouper, IssueTally
from doctor.triage.groups import Group
from doctor.triage.merging import merged
from doctor.triage.reading import LogReading
from doctor.triage.timestamps import shown

SHOWN = 2_000
"""Groups that a summary has at most: all that are known or worse than a warning first, then the most frequent."""

COMPARED = 200
"""Groups of warnings and errors that are compared with one another."""

TOGETHER = 3
SHARE = 0.5
"""Part of a group's sampled moments or ids that another must have for the two to be told as occurring together."""

LEAST = 3
"""Moments that two groups must share: once is chance."""

LONGEST = 1_000
"""Characters of a template that are shown."""


def summary_of(
    grouper: Grouper,
    readings: Sequence[LogReading],
    problems: Sequence[str],
    *,
    unread: int,
    call_sites: int,
    fail_on: str,
) -> LogSummary:
    """Return what was counted."""
    issues = grouper.tallies(SignatureKind.PROBLEM)
    causes = parents(issues)
    kept = sorted(grouper.groups, key=_importance)
    asked = {group.id: tuple(group.endpoints) for group in kept if group.endpoints}
    return LogSummary(
        version=__version__,
        inputs=tuple(sorted((reading.told() for reading in readings), key=lambda one: one.name)),
        lines=sum(reading.lines for reading in readings),
        records=grouper.records,
        first=shown(grouper.first),
        last=shown(grouper.last),
        issues=tuple(_issue(issue, causes, asked) for issue in ordered(issues, causes)),
        progress=tuple(map(_signal, grouper.tallies(SignatureKind.PROGRESS))),
        noise=tuple(map(_signal, grouper.tallies(SignatureKind.NOISE))),
        groups=tuple(_groups(kept[:SHOWN], kept)),
        unkept_groups=max(0, len(kept) - SHOWN),
        unkept_records=grouper.groups.unkept + sum(group.tally.count for group in kept[SHOWN:]),
        call_sites=call_sites,
        redactions=dict(sorted(grouper.redactor.counts.items())),
        problems=tuple(problems),
        notes=tuple(_notes(readings)),
        unread=unread,
        fail_on=fail_on,
    )


def _importance(group: Group) -> tuple[int, int, str]:
    rank = 0 if group.signatures else group.order[0]
    return rank, -group.tally.count, group.id


def _issue(issue: IssueTally, causes: dict[str, tuple[str, ...]], asked: dict[str, tuple[str, ...]]) -> LogIssue:
    signature = issue.signature
    sure, rule = confidence(issue)
    return LogIssue(
        signature=signature.name,
        title=signature.title,
        area=signature.area,
        severity=signature.severity,
        confidence=sure,
        confidence_rule=rule,
        occurrences=issue.tally.occurrences(),
        hypotheses=tuple(LogHypothesis(one.statement, one.check) for one in signature.hypotheses),
        resources=issue.resources.often(),
        groups=tuple(sorted(issue.groups)),
        endpoints=tuple(sorted({one for group in issue.groups for one in asked.get(group, ())})),
        caused_by=causes[signature.name],
        independent_of=independent(signature.name, causes),
        note=signature.note,
    )


def _signal(issue: IssueTally) -> LogSignal:
    return LogSignal(issue.signature.name, issue.signature.title, issue.tally.occurrences())


def _groups(kept: Sequence[Group], everything: Sequence[Group]) -> Iterable[LogGroup]:
    names = merged(group.key.template for group in everything if group.key.kind == "mask")
    together = _together([group for group in kept if group.is_trouble][:COMPARED])
    for group in kept:
        template = group.key.template
        yield LogGroup(
            id=group.id,
            kind=group.key.kind,
            level=group.key.level,
            logger=group.key.logger,
            template=bounded(template, LONGEST),
            occurrences=group.tally.occurrences(),
            shown=bounded(names.get(template, template), LONGEST),
            sites=tuple(
                LogSite(path, line, function, bounded(text, LONGEST), lost)
                for path, line, function, text, lost in group.sites
            ),
            exceptions=group.exceptions,
            frames=group.frames,
            signatures=tuple(sorted(group.signatures)),
            endpoints=tuple(group.endpoints),
            together=together.get(group.id, ()),
        )


def _together(groups: Sequence[Group]) -> dict[str, tuple[str, ...]]:
    """Return for each group the ids of those that share its moments, or its requests and tasks."""
    found: dict[str, list[tuple[float, str]]] = {group.id: [] for group in groups}
    for group in groups:
        for other in groups:
            if other is not group and (share := _shared(group, other)) >= SHARE:
                found[group.id].append((-share, other.id))
    return {one: tuple(other for _, other in sorted(others)[:TOGETHER]) for one, others in found.items()}


def _shared(group: Group, other: Group) -> float:
    """Return the larger part of moments or ids that one group shares with another."""
    shares = [0.0]
    for mine, theirs in ((group.ids, other.ids), (group.moments, other.moments)):
        if mine is not None and theirs is not None:
            both, all_of_mine = mine.shared(theirs)
            if both >= LEAST:
                shares.append(both / all_of_mine)
    return max(shares)


def _notes(readings: Sequence[LogReading]) -> Iterable[str]:
    """Say what is not known of the times."""
    if any(reading.clock.lacks_zone for reading in readings):
        yield "times without a zone are read as if they were UTC"
    if any(reading.clock.lacks_date for reading in readings):
        yield "times without a date are put on the day on which the file was written last; --date says another"
    if any(reading.clock.lacks_zone for reading in readings) and any(reading.clock.has_zone for reading in readings):
        yield "some times have a zone and some have none: their order between services may be wrong by hours"
