"""Findings that somebody decided not to hear of: taken out of the results, never out of the record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from doctor.model import (
    CheckResult,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Resource,
    Role,
    Severity,
    Status,
    Suppression,
)
from doctor.source.collectors.ignore_comments import IgnoreComment

COMMENTS = "DOC011"
"""The check that reports comments which are over or unused."""


def suppress(
    results: Sequence[CheckResult], comments: Iterable[IgnoreComment], today: date
) -> tuple[tuple[CheckResult, ...], tuple[Suppression, ...]]:
    """Return the results without what usable comments cover, and what was taken out.

    Comments that are over, or whose checks ran and found nothing at their place, become findings of DOC011.
    """
    usable = [comment for comment in comments if not comment.problem]
    valid = [comment for comment in usable if comment.until is None or comment.until >= today]
    suppressions: list[Suppression] = []
    used: set[IgnoreComment] = set()
    kept = []
    for result in results:
        left = []
        for finding in result.findings:
            comment = next((one for one in valid if _covers(one, finding)), None)
            if comment is None:
                left.append(finding)
                continue
            used.add(comment)
            place = f"{comment.path}:{comment.line}"
            suppressions.append(Suppression(finding, place, comment.reason, comment.until))
        kept.append(_with(result, left))
    stale = [_over(one) for one in usable if one not in valid]
    stale += [_unused(one) for one in valid if one not in used and _was_asked(one, results)]
    return tuple(_add(kept, stale)), tuple(suppressions)


def _covers(comment: IgnoreComment, finding: Finding) -> bool:
    return comment.covers(finding.code, finding.resource.path, finding.resource.line)


def _with(result: CheckResult, findings: list[Finding]) -> CheckResult:
    if len(findings) == len(result.findings):
        return result
    status = Status.PASS if result.status is Status.FAIL and not findings else result.status
    return replace(result, findings=tuple(findings), status=status)


def _was_asked(comment: IgnoreComment, results: Iterable[CheckResult]) -> bool:
    return any(
        result.code.startswith(comment.codes) and result.status in (Status.PASS, Status.FAIL) for result in results
    )


def _over(comment: IgnoreComment) -> Finding:
    return comment_problem(comment, f"its day is over ({comment.until})")


def _unused(comment: IgnoreComment) -> Finding:
    return comment_problem(comment, f"nothing of {', '.join(comment.codes)} is found there")


def comment_problem(comment: IgnoreComment, problem: str) -> Finding:
    """Return the finding of DOC011 about a comment."""
    place = f"{comment.path}:{comment.line}"
    return Finding(
        code=COMMENTS,
        resource=Resource("line", place, comment.path, comment.line),
        symptom=f"the comment in {place} ignores nothing: {problem}",
        cause=problem,
        severity=Severity.WARNING,
        role=Role.ADVICE,
        evidence=(Evidence(EvidenceKind.CODE, place, comment.text),),
        fixes=(FixOption.by_hand("correct the comment, or delete it", "only you know whether it is still meant"),),
        validation=f"doctor check --select {COMMENTS}",
    )


def _add(results: list[CheckResult], findings: list[Finding]) -> list[CheckResult]:
    return [
        replace(result, findings=(*result.findings, *findings), status=Status.FAIL)
        if findings and result.code == COMMENTS and result.status in (Status.PASS, Status.FAIL)
        else result
        for result in results
    ]
