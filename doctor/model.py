"""The vocabulary of the doctor: what it sees, what it concludes, what it did.

Frozen dataclasses and enums without I/O and without imports from the project. Everything a report shows is reachable
from a :class:`Run`, and a run survives the way to JSON and back unchanged (see ``doctor.record``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import final

from typing_extensions import TypeAliasType

JSON = TypeAliasType("JSON", "bool | int | float | str | list[JSON] | dict[str, JSON] | None")
"""Plain data: what a run record can hold unchanged."""


class Severity(StrEnum):
    """How much a user of the pipeline suffers; never taken from a log level."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position from 0 (info) to 3 (critical)."""
        return list(Severity).index(self)


class Status(StrEnum):
    """Outcome of one check."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    SKIP = "skip"
    """Not configured here, or blocked by another check that is named."""
    UNKNOWN = "unknown"
    """Tried and could not tell: timeout, crash, permission denied."""


class Confidence(StrEnum):
    """How sure the diagnosis is, by the rule that is printed beside it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CONFIRMED = "confirmed"

    @property
    def rank(self) -> int:
        """Position from 0 (low) to 3 (confirmed)."""
        return list(Confidence).index(self)


class Applicability(StrEnum):
    """Who may apply a fix: ``--yes``, ``--unsafe-fixes``, or only a person."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    MANUAL = "manual"


class Provenance(StrEnum):
    """Where a number or a statement comes from."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    CLAIMED = "claimed"


class EvidenceKind(StrEnum):
    """The outside system that was asked."""

    CODE = "code"
    SQL = "sql"
    HTTP = "http"
    NATS = "nats"
    LOG = "log"
    PROCESS = "process"
    CONFIG = "config"
    GIT = "git"


class Role(StrEnum):
    """What a finding can be in a diagnosis."""

    CAUSE = "cause"
    """May be a root."""
    AMPLIFIER = "amplifier"
    """Hides or worsens a cause, never stops anything alone (C5)."""
    SYMPTOM = "symptom"
    """Is always the effect of something; without an active parent it is unexplained."""
    DAMAGE = "damage"
    """Left behind by a cause of the past; it stays when the cause is gone and needs a repair of its own (C7)."""
    ADVICE = "advice"
    """Worth knowing; stops nothing."""


class Secret:
    """A value that is never shown: the only form in which a password, key or token travels."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)


@dataclass(frozen=True, slots=True)
class Resource:
    """A thing of the target that a finding is about, such as ``task:app.tasks.scoring.score_message_task``.

    ``path`` is relative to the target's root, ``line`` and ``column`` count from 1. They locate, they do not identify.
    """

    kind: str
    id: str
    path: str | None = None
    line: int | None = None
    column: int | None = None

    @property
    def key(self) -> str:
        """``kind:id``, the identity by which findings join."""
        return f"{self.kind}:{self.id}"

    @property
    def location(self) -> str | None:
        """``path:line`` for people and editors, or None when the resource has no file."""
        if self.path is None:
            return None
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact and where it was read. ``text`` has been redacted by the resource that read it."""

    kind: EvidenceKind
    source: str
    text: str
    provenance: Provenance = Provenance.MEASURED


@dataclass(frozen=True, slots=True)
class FixOption:
    """A repair that a finding offers, as data: the name of a fix and its JSON arguments.

    ``code`` are lines to paste where ``title`` says, when a person has to carry it out.
    """

    fix: str
    title: str
    applicability: Applicability
    reason: str
    arguments: Mapping[str, JSON] = field(default_factory=dict)
    recommended: bool = False
    tradeoff: str = ""
    code: str = ""

    @classmethod
    def by_hand(cls, title: str, reason: str, code: str = "") -> FixOption:
        """Return an option that only a person can carry out: ``title`` says what to do, ``reason`` why by hand."""
        return cls("manual", title, Applicability.MANUAL, reason, code=code)


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that was measured: for dashboards, and to see what has become worse.

    ``name`` is in snake case and says the unit at its end (``rows_without_vector``); ``of`` is the key of the resource.
    """

    name: str
    value: float
    of: str = ""


@final
@dataclass(frozen=True)
class Finding:
    """One state of the target that should not be, with its evidence.

    ``stage`` is the stage of the chain that it blocks, or None. ``related`` names further resources by which the
    finding joins causes and effects. ``rule`` is a documented behaviour of a library from which the effect follows
    without having been observed. ``subject`` separates findings of one check that concern the same resource;
    ``group`` separates causes of one check that would otherwise count as one root. ``metric`` says how much of it there
    is; more is worse.
    """

    code: str
    resource: Resource
    symptom: str
    cause: str
    severity: Severity
    role: Role = Role.CAUSE
    stage: str | None = None
    subject: str = ""
    group: str = ""
    impacts: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    related: tuple[Resource, ...] = ()
    rule: str = ""
    fixes: tuple[FixOption, ...] = ()
    validation: str = ""
    metric: Metric | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits that survive moved lines and changed counts."""
        identity = "\0".join((self.code, self.resource.key, self.resource.path or "", self.subject))
        return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @property
    def recommended_fix(self) -> FixOption | None:
        """The option marked as recommended, else the only one, else None."""
        for option in self.fixes:
            if option.recommended:
                return option
        return self.fixes[0] if len(self.fixes) == 1 else None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a check measured although nothing is wrong, such as ``round trip 0.2 ms``.

    ``rules_out`` names the hypothesis that the measurement refutes, if it refutes one. ``metrics`` are its numbers.
    """

    text: str
    rules_out: str = ""
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Outcome of one check. ``duration`` is in seconds; ``blocked_by`` is the code of another check."""

    code: str
    name: str
    area: str
    status: Status
    findings: tuple[Finding, ...] = ()
    observations: tuple[Observation, ...] = ()
    reason: str = ""
    blocked_by: str | None = None
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Mechanism:
    """How a cause produces an effect: declared in the file of the cause.

    ``join`` lists kinds of resources; the edge is active when both findings name the same resource of one of these
    kinds, or, with ``"stage"``, when the effect's stage is the cause's stage or comes after it.
    """

    cause: str
    effect: str
    how: str
    join: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """A finding under its cause, with the sentence that joins them."""

    fingerprint: str
    how: str


@dataclass(frozen=True, slots=True)
class Root:
    """One root cause: the findings of one code that share it, placed at the earliest stage they block."""

    code: str
    findings: tuple[str, ...]
    stages: tuple[str, ...]
    confidence: Confidence
    confidence_rule: str
    latent_behind: int | None = None
    """Number (from 1) of the root that hides this one; None when its effect is visible now."""
    effects: tuple[Explained, ...] = ()
    contributing: tuple[Explained, ...] = ()


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A symptom without an active cause, and the questions that would find it."""

    fingerprint: str
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A hypothesis that a measurement refuted; kept so that nobody has to suspect it again."""

    hypothesis: str
    evidence: str
    check: str


@dataclass(frozen=True, slots=True)
class Witness:
    """Lines of a log that are known: how often, when and where one of them stands.

    ``explained_by`` are findings of which they are an effect, by fingerprint; ``questions`` are causes that they may
    have and that no check of the run has decided. Lines witness; they prove nothing.
    """

    signature: str
    title: str
    severity: Severity
    count: int
    first: str
    last: str
    place: str
    text: str
    explained_by: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    """Requests that the lines name, the most frequent first: ``GET /api/topics``."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Lines of a log that tell of something that worked; without them the silence of the others proves nothing."""

    signature: str
    title: str
    count: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings put in order: roots along the chain, everything else under or beside them (by fingerprint)."""

    roots: tuple[Root, ...] = ()
    contributing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    unexplained: tuple[Unexplained, ...] = ()
    advice: tuple[str, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    """What logs say, where some were read; ordered by what must work first."""
    signals: tuple[Signal, ...] = ()
    """What worked, by the same logs."""


class RepairStatus(StrEnum):
    """What became of one repair."""

    PLANNED = "planned"
    VERIFIED = "verified"
    """Applied, and the check that had failed no longer finds it."""
    PARTIAL = "in part"
    """Kept, but something is left to do: a limit was set, or some rows failed."""
    RESTART_NEEDED = "restart needed"
    """Applied to source; a process still runs the old code."""
    UNCHANGED = "unchanged"
    """The precondition no longer held: there was nothing to do."""
    REFUSED = "refused"
    ROLLED_BACK = "rolled back"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Repair:
    """One repair of this run. ``preview`` is a diff or SQL; ``outcome`` says in one sentence what happened."""

    fix: str
    code: str
    fingerprint: str
    title: str
    applicability: Applicability
    status: RepairStatus
    preview: str
    outcome: str
    touched: tuple[str, ...] = ()
    duration: float = 0.0
    started_at: datetime | None = None
    """When it was planned; None in records that were made before this was kept."""


@dataclass(frozen=True, slots=True)
class StageResult:
    """One stage of the verification: ``count`` of ``expected`` items after ``latency`` seconds."""

    name: str
    count: int
    expected: int
    passed: bool
    latency: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """A canary's way through the chain."""

    marker: str
    canaries: int
    stages: tuple[StageResult, ...]
    passed: bool
    stopped_at: str | None
    reason: str = ""
    kept: bool = False
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An outside system that was looked at: address without secrets, and where the address came from."""

    kind: str
    address: str
    origin: str


@dataclass(frozen=True, slots=True)
class Target:
    """What was examined.

    ``repository_path`` leads from the root of the repository to ``root``, and ``source_path`` from there to the folder
    to which the paths of findings in Python files are relative; "" where they are the same. ``places`` are the lines of
    the configuration that name something, as ``path:line`` below ``root``, by resource key or by kind of outside
    system; "" is the file itself.
    """

    name: str
    root: str
    endpoints: tuple[Endpoint, ...] = ()
    stages: tuple[str, ...] = ()
    repository_path: str = ""
    source_path: str = ""
    places: Mapping[str, str] = field(default_factory=dict)


class SuppressionKind(StrEnum):
    """By what a finding was taken out of the results."""

    COMMENT = "comment"
    CONFIGURATION = "configuration"
    MUTE = "mute"
    BASELINE = "baseline"
    LAST_RUN = "last run"


@dataclass(frozen=True, slots=True)
class Suppression:
    """A finding that was taken out of the results: by what (``origin`` is its place), why, and until which day."""

    finding: Finding
    origin: str
    reason: str
    until: date | None = None
    kind: SuppressionKind = SuppressionKind.COMMENT


@dataclass(frozen=True)
class Run:
    """Everything one run learned and did: the only thing that reports render from."""

    id: str
    version: str
    started_at: datetime
    duration: float
    target: Target
    before: tuple[CheckResult, ...]
    diagnosis: Diagnosis
    repairs: tuple[Repair, ...] = ()
    after: tuple[CheckResult, ...] | None = None
    verification: Verification | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    configuration_fingerprint: str = ""
    fail_on: str = Severity.ERROR.value
    """Lowest severity that fails the gate, or ``never``."""
    schema_version: str = "1"
    suppressions: tuple[Suppression, ...] = ()
    """What was left out of the latest results, and why."""
    narrowed: bool = False
    """Whether only what stands in some of the files is told, as to a commit hook."""
    checked_again_at: datetime | None = None
    """When the check after the repairs began; None without one, and in records from before this was kept."""

    def finding(self, fingerprint: str) -> Finding:
        """Return the finding with this fingerprint, the state before repairs first.

        Raises:
            KeyError: when no check of this run made such a finding.
        """
        return self._by_fingerprint[fingerprint]

    @cached_property
    def _by_fingerprint(self) -> Mapping[str, Finding]:
        results = (*self.before, *(self.after or ()))
        findings = [finding for result in results for finding in result.findings]
        return {finding.fingerprint: finding for finding in reversed(findings)}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings before any repair, in the order of the checks."""
        return tuple(finding for result in self.before for finding in result.findings)

    @property
    def found(self) -> tuple[Finding, ...]:
        """All findings of the latest check, those that were left out too."""
        shown = [finding for result in self.current for finding in result.findings]
        return (*shown, *(suppression.finding for suppression in self.suppressions))

    @property
    def current(self) -> tuple[CheckResult, ...]:
        """The latest results: after the repairs when there were any."""
        return self.before if self.after is None else self.after
