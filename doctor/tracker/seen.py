"""What one run says of each issue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from doctor.model import Confidence, Evidence, Finding, Root, Run, Status, Witness
from doctor.tracker.issue import IssueRole, IssueStatus, TrackedEvidence, TrackedFix, TrackedIssue

EVIDENCE = 20
"""Facts that are kept of an issue."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An issue as a run sees it: ``issue`` without history and human text. ``is_present``: still there at its end."""

    issue: TrackedIssue
    is_present: bool


def seen_in(run: Run) -> list[Seen]:
    """Return the issues of a run in the order of its diagnosis."""
    return [Seen(issue, is_present) for issue, is_present in _issues(run)]


def asked_in(run: Run) -> frozenset[str]:
    """Return the codes of the checks that had an answer at the end of a run."""
    return frozenset(result.code for result in run.current if result.status in (Status.PASS, Status.FAIL))


def root_key(root: Root, run: Run) -> str:
    """Return what a root is about: its code, and what tells it from others of this code."""
    return f"{root.code}/{run.finding(root.findings[0]).group}"


def finding_key(finding: Finding) -> str:
    """Return what a finding is about that belongs to no root."""
    return f"{finding.code}/{finding.resource.key}/{finding.subject}"


def log_key(signature: str) -> str:
    """Return what known lines of logs are about."""
    return f"log/{signature}"


def _issues(run: Run) -> Iterator[tuple[TrackedIssue, bool]]:
    present = {finding.fingerprint for result in run.current for finding in result.findings}
    diagnosis = run.diagnosis
    places = count()
    causes: dict[str, str] = {}
    for root in diagnosis.roots:
        issue = _of_root(root, run, next(places))
        causes.update(dict.fromkeys(root.findings, issue.key))
        yield issue, bool(present & set(root.findings))
    for fingerprints, role in (
        ([effect.fingerprint for root in diagnosis.roots for effect in root.effects], IssueRole.EFFECT),
        ([one.fingerprint for one in diagnosis.unexplained], IssueRole.UNKNOWN),
        (diagnosis.contributing, IssueRole.CONTRIBUTING),
        (diagnosis.left_over, IssueRole.LEFT_OVER),
    ):
        for fingerprint in dict.fromkeys(fingerprints):
            issue = _of_finding(run.finding(fingerprint), role, run, next(places))
            yield issue, fingerprint in present
    for witness in diagnosis.witnesses:
        yield _of_witness(witness, causes, run, next(places)), True


def _of_root(root: Root, run: Run, place: int) -> TrackedIssue:
    findings = [run.finding(fingerprint) for fingerprint in root.findings]
    issue = _plain(findings, root_key(root, run), IssueRole.ROOT, run, place)
    witnesses = [one for one in run.diagnosis.witnesses if set(one.explained_by) & set(root.findings)]
    return replace(
        issue,
        confidence=root.confidence,
        rule=root.confidence_rule,
        stages=root.stages,
        status=_measured(root.confidence, issue),
        signatures={one.signature: one.count for one in witnesses},
        endpoints=_unique(chain.from_iterable(one.endpoints for one in witnesses)),
        observed=(*issue.observed, *(f"{one.place}  {one.text}" for one in witnesses)),
    )


def _of_finding(finding: Finding, role: IssueRole, run: Run, place: int) -> TrackedIssue:
    issue = _plain([finding], finding_key(finding), role, run, place)
    causes = [root_key(root, run) for root in run.diagnosis.roots if _explains(root, finding)]
    questions = [
        question
        for one in run.diagnosis.unexplained
        if one.fingerprint == finding.fingerprint
        for question in one.questions
    ]
    return replace(issue, caused_by=tuple(causes), questions=tuple(questions))


def _explains(root: Root, finding: Finding) -> bool:
    return finding.fingerprint in {one.fingerprint for one in (*root.effects, *root.contributing)}


def _of_witness(witness: Witness, causes: dict[str, str], run: Run, place: int) -> TrackedIssue:
    caused_by = tuple(dict.fromkeys(causes[one] for one in witness.explained_by if one in causes))
    marker = f"`{witness.signature}`"
    return TrackedIssue(
        key=log_key(witness.signature),
        title=witness.title,
        code="",
        area="logs",
        role=IssueRole.EFFECT if caused_by else IssueRole.UNKNOWN,
        severity=witness.severity,
        status=IssueStatus.OBSERVED,
        confidence=Confidence.LOW,
        rule="only a log line speaks for it",
        place=place,
        signatures={witness.signature: witness.count},
        endpoints=witness.endpoints,
        observed=(f"{witness.place}  {witness.text}",),
        ruled_out=tuple(
            f"{one.hypothesis} ({one.evidence})" for one in run.diagnosis.ruled_out if marker in one.evidence
        ),
        questions=witness.questions,
        caused_by=caused_by,
    )


def _plain(findings: Sequence[Finding], key: str, role: IssueRole, run: Run, place: int) -> TrackedIssue:
    """Return what the findings of one issue say."""
    first = findings[0]
    return TrackedIssue(
        key=key,
        title=_unique(finding.symptom for finding in findings)[0],
        code=first.code,
        area=next((result.area for result in run.before if result.code == first.code), ""),
        role=role,
        severity=max((finding.severity for finding in findings), key=lambda one: one.rank),
        status=IssueStatus.OPEN,
        confidence=Confidence.MEDIUM,
        rule="an effect that was measured",
        place=place,
        observed=_unique(finding.symptom for finding in findings),
        hypotheses=_unique(finding.cause for finding in findings if finding.cause),
        evidence=tuple(_evidence(one) for one in _facts(findings)),
        files=_unique(location for finding in findings if (location := finding.resource.location)),
        impacts=_unique(chain.from_iterable(finding.impacts for finding in findings)),
        fixes=_fixes(findings),
        validation=next((finding.validation for finding in findings if finding.validation), ""),
    )


def _facts(findings: Sequence[Finding]) -> list[Evidence]:
    return list(dict.fromkeys(one for finding in findings for one in finding.evidence))[:EVIDENCE]


def _evidence(one: Evidence) -> TrackedEvidence:
    return TrackedEvidence(one.kind.value, one.source, one.text, one.provenance.value)


def _fixes(findings: Sequence[Finding]) -> tuple[TrackedFix, ...]:
    titles = {one.title for finding in findings if (one := finding.recommended_fix) is not None}
    options = {option.title: option for finding in findings for option in finding.fixes}
    return tuple(
        TrackedFix(one.title, one.applicability, one.title in titles, one.tradeoff) for one in options.values()
    )


def _measured(confidence: Confidence, issue: TrackedIssue) -> IssueStatus:
    if confidence.rank < Confidence.HIGH.rank:
        return IssueStatus.OPEN
    return IssueStatus.FIX_READY if issue.fixes else IssueStatus.CONFIRMED


def _unique(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
