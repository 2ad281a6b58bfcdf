"""A comment that is to silence a finding is not usable, is over, or silences nothing.

## What it finds
`# doctor: ignore[TSK001] reason="…" until=2027-01-31` on a line, or on the head of a function or class, silences
findings of these codes there. This check reports comments that cannot be read, that give no reason, whose day is
over, and those whose finding is not there any more.

## Why it hurts
What is silenced without a reason or an end stays silenced for ever, and hides the next case at the same place. A
comment that silences nothing misleads whoever reads it.

## How it is told from its look-alikes
Only comments count, not texts that look like one. A comment is called unused only where the check of its code ran and
could tell.

## How to fix
Give a reason, set a new day after looking again, or delete the comment.

## False positives
A comment for a check that is not selected in this run is never reported.
"""

from collections.abc import Iterator

from doctor.api import Example, Finding, Observation, Severity, Source, check, comment_problem
from doctor.source.collectors.ignore_comments import COLLECTOR

_FILE = "LIMIT = 1  # doctor: ignore{rest}\n"


@check(
    "DOC011",
    "ignore-comment-not-usable",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[
        Example("no reason", {"app.py": _FILE.format(rest="[TSK001] until=2027-01-31")}),
        Example("no code", {"app.py": _FILE.format(rest="")}),
        Example("no such day", {"app.py": _FILE.format(rest='[TSK001] reason="known" until=2027-02-30')}),
    ],
    good=[
        Example("a reason and a day", {"app.py": _FILE.format(rest='[TSK001,EMB] reason="known" until=2027-01-31')}),
        Example("a text that looks like one", {"app.py": 'TEXT = "# doctor: ignore"\n'}),
    ],
)
def ignore_comment_not_usable(source: Source) -> Iterator[Finding | Observation]:
    """Report what no day and no other check is needed for; the engine adds what is over and what is unused."""
    comments = source.collected(COLLECTOR)
    for comment in comments:
        if comment.problem:
            yield comment_problem(comment, comment.problem)
    if comments:
        yield Observation(f"{len(comments)} comments that ignore findings")
