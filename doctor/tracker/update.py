"""Takes a run into account: statuses move on, history grows, nothing a person decided is taken back.

    observed → open → triaging → confirmed → fix_ready → fixed_unverified → resolved → reopened

``resolved`` needs more than silence: in the same run a verification has passed, which is a positive signal of the whole
chain. What comes back is re-opened. What a person has set aside (not an issue, false positive, accepted risk) stays
aside, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from doctor.model import Run
from doctor.tracker.human import status_in, together
from doctor.tracker.issue import BY_HAND, CLOSED, DECIDED, IssueStatus, StatusEvent, TrackedIssue, Tracker
from doctor.tracker.seen import Seen, asked_in, seen_in

GONE = frozenset({IssueStatus.FIXED_UNVERIFIED, IssueStatus.RESOLVED})
_LIFE = list(IssueStatus)


def updated(tracker: Tracker, run: Run) -> Tracker:
    """Return the tracker with this run; a run that is already in it changes nothing."""
    if run.id in tracker.runs:
        return tracker
    issues = dict(tracker.issues)
    seen = {one.issue.key: one for one in seen_in(run)}
    for key, one in seen.items():
        issues[key] = _met(issues.get(key), one, run)
    for key, issue in tracker.issues.items():
        if key not in seen:
            issues[key] = _missed(issue, run)
    return replace(tracker, issues=dict(sorted(issues.items())), runs=(*tracker.runs, run.id))


def with_people(tracker: Tracker, blocks: Mapping[str, str], now: datetime) -> tuple[Tracker, list[str]]:
    """Return the tracker with what people wrote (by id), and sentences about what cannot be done as they wrote it."""
    problems: list[str] = []
    issues = {}
    for key, issue in tracker.issues.items():
        issue = replace(issue, human=blocks.get(issue.id, issue.human))
        issues[key] = _decided(issue, now, problems)
    return replace(tracker, issues=issues), problems


def merge(ours: Tracker, theirs: Tracker) -> Tracker:
    """Return two trackers of one target as one, the same in either order, with all runs, events and people's texts."""
    issues = dict(ours.issues)
    for key, other in theirs.issues.items():
        issues[key] = _joined(issues[key], other) if key in issues else other
    return replace(ours, issues=dict(sorted(issues.items())), runs=tuple(sorted({*ours.runs, *theirs.runs})))


def _met(old: TrackedIssue | None, seen: Seen, run: Run) -> TrackedIssue:
    """Return an issue that the run speaks of."""
    new = seen.issue
    if old is None:
        issue = replace(new, status=new.status, history=())
        issue = _moved(issue, None, new.status, run, _first_reason(new))
    else:
        issue = replace(new, status=old.status, history=old.history, human=old.human, validated=old.validated)
        issue = _advanced(issue, new.status, run)
    return issue if seen.is_present else _gone(issue, run, "the check no longer finds it")


def _first_reason(issue: TrackedIssue) -> str:
    return "a log line speaks of it" if issue.status is IssueStatus.OBSERVED else f"{issue.code} found it"


def _advanced(issue: TrackedIssue, wanted: IssueStatus, run: Run) -> TrackedIssue:
    """Move on a known issue that is still there."""
    if issue.status in DECIDED:
        return issue
    if issue.status in GONE:
        return _moved(issue, issue.status, IssueStatus.REOPENED, run, "it has come back")
    if issue.status is not IssueStatus.REOPENED and _LIFE.index(wanted) > _LIFE.index(issue.status):
        return _moved(issue, issue.status, wanted, run, issue.rule)
    return issue


def _missed(issue: TrackedIssue, run: Run) -> TrackedIssue:
    """Return an issue of which the run does not speak: gone only where its check, or its log, was asked."""
    logs_read = bool(run.diagnosis.witnesses)
    if issue.code in asked_in(run) or (not issue.code and logs_read):
        return _gone(issue, run, "the check no longer finds it" if issue.code else "the logs no longer have it")
    return issue


def _gone(issue: TrackedIssue, run: Run, why: str) -> TrackedIssue:
    if issue.status in CLOSED:
        return issue
    if issue.status is not IssueStatus.FIXED_UNVERIFIED:
        repaired = ", ".join(repair.title for repair in run.repairs if repair.code == issue.code)
        reason = f"{why}; repaired: {repaired}" if repaired else why
        issue = _moved(issue, issue.status, IssueStatus.FIXED_UNVERIFIED, run, reason)
    verification = run.verification
    if verification is None:
        return issue
    told = f"{'passed' if verification.passed else 'failed'} in run {run.id}: {verification.canaries} canaries"
    issue = replace(issue, validated=told)
    if not verification.passed:
        return issue
    reason = f"{verification.canaries} canaries went through every stage"
    return _moved(issue, issue.status, IssueStatus.RESOLVED, run, reason)


def _decided(issue: TrackedIssue, now: datetime, problems: list[str]) -> TrackedIssue:
    """Apply the status that a person has set."""
    set_by_hand = status_in(issue.human)
    if set_by_hand is None:
        if "status: " in issue.human and issue.status not in BY_HAND and not _is_empty(issue.human):
            allowed = ", ".join(sorted(BY_HAND))
            problems.append(f"{issue.id}: a person may set only {allowed}; the line `status:` is left as it is")
        return issue
    wanted, reason = set_by_hand
    if wanted is issue.status:
        return issue
    if wanted in DECIDED and not reason:
        problems.append(f"{issue.id}: {wanted} needs a reason: `status: {wanted} - because …`")
        return issue
    event = StatusEvent(now, "", "human", issue.status, wanted, reason or "looked into by a person")
    return replace(issue, status=wanted, history=(*issue.history, event))


def _is_empty(text: str) -> bool:
    return not any(line.removeprefix("status:").strip() for line in text.splitlines() if line.startswith("status:"))


def _moved(issue: TrackedIssue, before: IssueStatus | None, after: IssueStatus, run: Run, reason: str) -> TrackedIssue:
    event = StatusEvent(run.started_at, run.id, "doctor", before, after, reason)
    return replace(issue, status=after, history=(*issue.history, event))


def _joined(one: TrackedIssue, other: TrackedIssue) -> TrackedIssue:
    """Return one issue of two branches: as the later of them saw it, with the events of both."""
    newer, older = sorted((one, other), key=_latest, reverse=True)
    events = sorted({*one.history, *other.history}, key=_event_order)
    return replace(
        newer,
        status=events[-1].after if events else newer.status,
        history=tuple(events),
        human=together(*sorted((older.human, newer.human))),
        validated=newer.validated or older.validated,
    )


def _latest(issue: TrackedIssue) -> tuple[str, str, str]:
    last = issue.history[-1] if issue.history else None
    return (last.at.isoformat(), last.run, repr(issue)) if last else ("", "", repr(issue))


def _event_order(event: StatusEvent) -> tuple[str, str, int]:
    return event.at.isoformat(), event.run, _LIFE.index(event.after)
