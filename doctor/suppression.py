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
from doctor.silencing import was_asked, with_findings
from doctor.source.collectors.ignore_comments import IgnoreComment

COMMENTS = "DOC011"
"""The check that reports comments which are over or unused."""


def suppress(
    results: Sequence[CheckResult], comments: Iterable[IgnoreComment], today: date
) -> tuple[tuple[CheckResult, ...], tuple[Suppression, ...]]:
    """Return the results without what usable comments cover, and what was taken out.

    Comments that are over, and codes whose checks ran and found nothing at the comment's place, become findings of
    DOC011.
    """
    usable = [comment for comment in comments if not comment.problem]
    valid = [comment for comment in usable if comment.until is None or comment.until >= today]
    suppressions: list[Suppression] = []
    used: set[tuple[IgnoreComment, str]] = set()
    kept = []
    for result in results:
        left = []
        for finding in result.findings:
            covering = {one: codes for one in valid if (codes := _covers(one, finding))}
            used |= {(one, code) for one, codes in covering.items() for code in codes}
            comment = next(iter(covering), None)
            if comment is None:
                left.append(finding)
                continue
            place = f"{comment.path}:{comment.line}"
            suppressions.append(Suppression(finding, place, comment.reason, comment.until))
        kept.append(with_findings(result, tuple(left)))
    stale = [_over(one) for one in usable if one not in valid]
    for one in valid:
        unused = [code for code in one.codes if (one, code) not in used and was_asked(code, results)]
        stale += [_unused(one, unused)] if unused else []
    return tuple(_add(kept, stale)), tuple(suppressions)


def _covers(comment: IgnoreComment, finding: Finding) -> frozenset[str]:
    return comment.used_for(finding.code, finding.resource.path, finding.resource.line)


def _over(comment: IgnoreComment) -> Finding:
    return comment_problem(comment, f"its day is over ({comment.until})")


def _unused(comment: IgnoreComment, codes: Sequence[str]) -> Finding:
    return comment_problem(comment, f"nothing of {', '.join(codes)} is found there")


def comment_problem(comment: IgnoreComment, problem: str) -> Finding:
    """Return the finding of DOC011 about a comment."""
    place = f"{comment.path}:{comment.line}"
    return Finding(
        code=COMMENTS,
        resource=Resource("line", place, comment.path, comment.line),
        symptom=f"the comment in {place} is not usable as it is: {problem}",
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
