"""What the tracker keeps of an issue. Ids come from what an issue is about, so two branches give it the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from doctor.model import Applicability, Confidence, Severity


class IssueStatus(StrEnum):
    """How far an issue has come. The order is that of a life without detours; the last three need a reason."""

    OBSERVED = "observed"
    """A log line alone speaks of it."""
    OPEN = "open"
    TRIAGING = "triaging"
    CONFIRMED = "confirmed"
    """Its cause was measured."""
    FIX_READY = "fix_ready"
    FIXED_UNVERIFIED = "fixed_unverified"
    """It is no longer found; nothing has proved that what it stopped works again."""
    RESOLVED = "resolved"
    REOPENED = "reopened"
    NOT_AN_ISSUE = "not_an_issue"
    FALSE_POSITIVE = "false_positive"
    ACCEPTED_RISK = "accepted_risk"


DECIDED = frozenset({IssueStatus.NOT_AN_ISSUE, IssueStatus.FALSE_POSITIVE, IssueStatus.ACCEPTED_RISK})
"""Only a person decides these, and says why."""

BY_HAND = DECIDED | {IssueStatus.TRIAGING}
CLOSED = DECIDED | {IssueStatus.RESOLVED}


class IssueRole(StrEnum):
    """What an issue is to the others."""

    ROOT = "root"
    EFFECT = "effect"
    CONTRIBUTING = "contributing"
    LEFT_OVER = "left over"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """One change of a status. ``actor`` is ``doctor`` or ``human``; ``before`` is None for the first."""

    at: datetime
    run: str
    actor: str
    before: IssueStatus | None
    after: IssueStatus
    reason: str


@dataclass(frozen=True, slots=True)
class TrackedFix:
    """A repair that was offered."""

    title: str
    applicability: Applicability
    recommended: bool = False
    tradeoff: str = ""


@dataclass(frozen=True, slots=True)
class TrackedEvidence:
    """One fact and where it was read."""

    kind: str
    source: str
    text: str
    provenance: str


@dataclass(frozen=True, slots=True)
class TrackedIssue:
    """One issue. ``key`` says what it is about; ``place`` is its position in the latest diagnosis, from 0.

    ``ruled_out`` are causes that were suspected and refuted, each with its evidence. ``human`` is what a person wrote,
    as it stands.
    """

    key: str
    title: str
    code: str
    area: str
    role: IssueRole
    severity: Severity
    status: IssueStatus
    confidence: Confidence
    rule: str
    place: int
    stages: tuple[str, ...] = ()
    signatures: Mapping[str, int] = field(default_factory=dict)
    endpoints: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()
    hypotheses: tuple[str, ...] = ()
    ruled_out: tuple[str, ...] = ()
    evidence: tuple[TrackedEvidence, ...] = ()
    files: tuple[str, ...] = ()
    impacts: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    fixes: tuple[TrackedFix, ...] = ()
    validation: str = ""
    validated: str = ""
    """What the validation gave last; empty when it has not been run."""
    caused_by: tuple[str, ...] = ()
    history: tuple[StatusEvent, ...] = ()
    human: str = ""

    @property
    def id(self) -> str:
        """``RCA-`` and six hex digits of the key."""
        return issue_id(self.key)


def issue_id(key: str) -> str:
    """Return the id of what an issue is about: the same on every machine and branch, never given to another."""
    return f"RCA-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


@dataclass(frozen=True, slots=True)
class Tracker:
    """All issues by key, and the runs that have been taken into account."""

    issues: Mapping[str, TrackedIssue] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    schema_version: str = "1"
