"""``docs/RCA_TRACKER.md``: what is to be looked into next, then each issue with everything that is known of it.

Text of the target is escaped; what a person wrote between the marked lines is given back as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from doctor.redaction import printable
from doctor.tracker.human import block, owner_in
from doctor.tracker.issue import CLOSED, IssueRole, StatusEvent, TrackedEvidence, TrackedIssue, Tracker, issue_id
from doctor.wording import counted

_CODE = re.compile(r"(?<!`)`([^`<>]+)`(?!`)")
_MEANT = re.compile(r"([\\*\[\]<>|~&$]|\b_|_\b|--+|%%+)")
_BLOCK_START = re.compile(r"(?:[-+#]|={3,}|\d+[.)])")
_ROLES = list(IssueRole)


def render(tracker: Tracker) -> str:
    """Return the whole document."""
    return "\n".join(_document(tracker)) + "\n"


def investigation_order(tracker: Tracker) -> list[TrackedIssue]:
    """Return the issues that are not closed: roots in chain order, then by what they are and how grave."""
    open_ones = [issue for issue in tracker.issues.values() if issue.status not in CLOSED]
    return sorted(open_ones, key=lambda one: (_ROLES.index(one.role), one.place, -one.severity.rank, one.key))


def _document(tracker: Tracker) -> Iterator[str]:
    order = investigation_order(tracker)
    closed = sorted((one for one in tracker.issues.values() if one.status in CLOSED), key=lambda one: one.key)
    yield "# RCA tracker"
    yield ""
    yield "Made by `doctor tracker` from `rca.json`. Write between the marked lines of an issue; the rest is made anew."
    yield ""
    yield f"{counted(len(order), 'open issue')}, {len(closed)} closed, {counted(len(tracker.runs), 'run')}."
    yield ""
    yield "## Order of investigation"
    yield ""
    if order:
        yield "| | issue | what | status | severity | role | owner |"
        yield "|---:|---|---|---|---|---|---|"
    for number, issue in enumerate(order, 1):
        owner = escape(owner_in(issue.human)) or "–"
        link = f"[{issue.id}](#{issue.id.lower()})"
        cells = (link, escape(issue.title), issue.status, issue.severity, issue.role, owner)
        yield f"| {number} | {' | '.join(cells)} |"
    if not order:
        yield "Nothing is open."
    yield from _notes(order, tracker)
    yield ""
    yield "## Open issues"
    for issue in order:
        yield from _issue(issue, tracker)
    yield ""
    yield "## Closed issues"
    yield from _archive(closed)
    for issue in closed:
        yield from _issue(issue, tracker)


def _archive(closed: list[TrackedIssue]) -> Iterator[str]:
    """Sum up what is closed, the latest first: nothing is ever taken out."""
    if not closed:
        return
    yield ""
    yield "| issue | what | status | since | because |"
    yield "|---|---|---|---|---|"
    for issue in sorted(closed, key=_closed_at, reverse=True):
        last = issue.history[-1] if issue.history else None
        since, because = (f"{last.at:%Y-%m-%d %H:%M}", escape(last.reason)) if last else ("–", "–")
        cells = (f"[{issue.id}](#{issue.id.lower()})", escape(issue.title), issue.status, since, because)
        yield f"| {' | '.join(cells)} |"


def _closed_at(issue: TrackedIssue) -> tuple[str, str]:
    return (issue.history[-1].at.isoformat() if issue.history else "", issue.key)


def _notes(order: list[TrackedIssue], tracker: Tracker) -> Iterator[str]:
    """Say what joins issues, and which roots nothing joins."""
    roots = [issue for issue in order if issue.role is IssueRole.ROOT]
    effects = {root.key: [one for one in order if root.key in one.caused_by] for root in roots}
    if not roots:
        return
    yield ""
    yield "### Across issues"
    yield ""
    for root in roots:
        if effects[root.key]:
            yield f"- {root.id} explains {', '.join(one.id for one in effects[root.key])}."
    for first, second in pairwise(roots):
        shared = {one.key for one in effects[first.key]} & {one.key for one in effects[second.key]}
        names = ", ".join(sorted(map(issue_id, shared)))
        joint = f"share {names}" if shared else "are independent: no known path joins them"
        yield f"- {first.id} and {second.id} {joint}."


def _issue(issue: TrackedIssue, tracker: Tracker) -> Iterator[str]:
    yield ""
    yield f"### {issue.id}"
    yield ""
    yield f"**{escape(issue.title)}**"
    yield ""
    yield f"- Status: {issue.status}"
    yield f"- Severity: {issue.severity}"
    yield f"- Subsystem: {escape(issue.area)}{f' ({issue.code})' if issue.code else ''}"
    yield f"- Role: {issue.role}"
    yield f"- Confidence: {issue.confidence}, for {escape(issue.rule)}"
    if issue.stages:
        yield f"- Blocks: {escape(', '.join(issue.stages))}"
    for key in issue.caused_by:
        parent = tracker.issues.get(key)
        label = "Makes worse" if issue.role is IssueRole.CONTRIBUTING else "Caused by"
        yield f"- {label}: {issue_id(key)}{f' {escape(parent.title)}' if parent else ''}"
    if issue.signatures:
        told = ", ".join(f"{escape(name)} ×{count:,}" for name, count in sorted(issue.signatures.items()))
        yield f"- Log signatures: {told}"
    if issue.endpoints:
        yield f"- Endpoints: {escape(', '.join(issue.endpoints))}"
    yield from _listed("Impact", map(escape, issue.impacts))
    yield from _listed("Observed", map(escape, issue.observed))
    yield from _listed("Hypotheses, the primary one first", map(escape, issue.hypotheses))
    yield from _listed("Ruled out", map(escape, issue.ruled_out))
    yield from _listed("Evidence", map(_evidence, issue.evidence))
    yield from _listed("Files to inspect", map(escape, issue.files))
    yield from _listed("Questions", map(escape, issue.questions))
    yield from _listed("Fix options", _fixes(issue))
    yield from _validation(issue)
    yield ""
    yield block(issue.id, issue.human)
    yield from _listed("History", map(_event, issue.history))


def _listed(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"- {item}" for item in items]
    if lines:
        yield ""
        yield f"{title}:"
        yield ""
        yield from lines


def _evidence(one: TrackedEvidence) -> str:
    return f"{escape(one.source)}: {escape(one.text)} ({one.kind}, {one.provenance})"


def _fixes(issue: TrackedIssue) -> Iterator[str]:
    for fix in issue.fixes:
        recommended = ", recommended" if fix.recommended else ""
        tradeoff = f": {escape(fix.tradeoff)}" if fix.tradeoff else ""
        yield f"{escape(fix.title)} ({fix.applicability}{recommended}){tradeoff}"


def _validation(issue: TrackedIssue) -> Iterator[str]:
    if issue.validation or issue.validated:
        yield ""
        command = f"`{issue.validation}`" if issue.validation else "`doctor verify`"
        yield f"Validation after the fix: {command}, then `doctor verify`. Last result: {issue.validated or 'not run'}."


def _event(event: StatusEvent) -> str:
    moved = f"{event.before} → {event.after}" if event.before else str(event.after)
    run = f", run {event.run}" if event.run else ""
    return f"{event.at:%Y-%m-%d %H:%M} {moved} by {event.actor}{run}: {escape(event.reason)}"


def escape(text: str) -> str:
    """Return a text of the target as Markdown shows it: on one line, nothing in it opens a cell, a link or a tag.

    Text between two single backticks stays code; any other backtick becomes an apostrophe.
    """
    parts = _CODE.split(" ".join(printable(text).split()))
    shown = (
        f"`{part.replace('|', chr(0xA6))}`" if number % 2 else _MEANT.sub(r"\\\1", part.replace("`", "'"))
        for number, part in enumerate(parts)
    )
    line = "".join(shown)
    return f"\\{line}" if _BLOCK_START.match(line) else line
