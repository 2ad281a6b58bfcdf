"""One run as a story: its root causes with all that belongs to them, and questions that several sections ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from doctor.api import (
    CheckResult,
    Confidence,
    Evidence,
    Finding,
    FixOption,
    Provenance,
    Repair,
    RepairStatus,
    Role,
    Root,
    Run,
    Status,
    Witness,
    taken_back,
)

HELD = (RepairStatus.VERIFIED, RepairStatus.UNCHANGED)
"""What a repair is called of which the check no longer finds anything."""

WRITTEN = (*HELD, RepairStatus.RESTART_NEEDED, RepairStatus.PARTIAL)
"""What a repair is called that has left its changes in place."""


UNSETTLED = (RepairStatus.RESTART_NEEDED, RepairStatus.UNDONE)
"""What a repair is called after which the last check does not tell how it is now."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A finding under its cause, with the sentence that joins them."""

    finding: Finding
    how: str


@dataclass(frozen=True, slots=True)
class Cause:
    """One root cause with its findings, and all that the diagnosis puts under it. ``number`` counts from 1."""

    number: int
    root: Root
    name: str
    findings: tuple[Finding, ...]
    effects: tuple[Effect, ...]
    contributing: tuple[Effect, ...]
    witnesses: tuple[Witness, ...]

    @property
    def title(self) -> str:
        """``1. TSK001 task-decorator-order``."""
        return f"{self.number}. {self.root.code} {self.name}"

    @property
    def first(self) -> Finding:
        """The finding that speaks for it."""
        return self.findings[0]

    @property
    def confidence(self) -> Confidence:
        """How sure the diagnosis is of it."""
        return self.root.confidence

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What speaks for it, each place once."""
        return tuple(dict.fromkeys(evidence for finding in self.findings for evidence in finding.evidence))

    @property
    def options(self) -> tuple[FixOption, ...]:
        """What could be done about it, each once."""
        return tuple({option.title: option for finding in self.findings for option in finding.fixes}.values())


class Incident:
    """A run, and what follows from it."""

    def __init__(self, run: Run) -> None:
        self.run = marked(run)

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """The root causes in the order of the diagnosis."""
        return tuple(self._cause(number, root) for number, root in enumerate(self.run.diagnosis.roots, 1))

    def _cause(self, number: int, root: Root) -> Cause:
        witnesses = [one for one in self.run.diagnosis.witnesses if set(one.explained_by) & set(root.findings)]
        return Cause(
            number=number,
            root=root,
            name=self.name(root.code),
            findings=self.found(root.findings),
            effects=tuple(Effect(self.finding(item.fingerprint), item.how) for item in root.effects),
            contributing=tuple(Effect(self.finding(item.fingerprint), item.how) for item in root.contributing),
            witnesses=tuple(witnesses),
        )

    def found(self, fingerprints: Iterable[str]) -> tuple[Finding, ...]:
        """Return the findings with these fingerprints."""
        return tuple(map(self.finding, fingerprints))

    def finding(self, fingerprint: str) -> Finding:
        """Return the finding with this fingerprint, the state before repairs first.

        Raises:
            KeyError: when no check of this run made such a finding.
        """
        return self._findings[fingerprint]

    @cached_property
    def _findings(self) -> dict[str, Finding]:
        results = (*(self.run.after or ()), *self.run.before)
        return {finding.fingerprint: finding for result in results for finding in result.findings}

    def name(self, code: str) -> str:
        """Return the name of a check of this run."""
        return next((result.name for result in self.run.before if result.code == code), "")

    @cached_property
    def effects(self) -> tuple[Finding, ...]:
        """What merely follows, each finding once."""
        found = [effect.finding for cause in self.causes for effect in cause.effects]
        return tuple({finding.fingerprint: finding for finding in found}.values())

    @cached_property
    def contributing(self) -> tuple[Finding, ...]:
        """What would worsen a cause and stands with no root of this run."""
        shown = {item.fingerprint for root in self.run.diagnosis.roots for item in root.contributing}
        return self.found(one for one in self.run.diagnosis.contributing if one not in shown)

    @cached_property
    def left_over(self) -> tuple[Finding, ...]:
        """What causes of the past have left behind."""
        return self.found(self.run.diagnosis.left_over)

    @cached_property
    def are_independent(self) -> bool:
        """Whether the root causes are several, and each alone stops the chain."""
        return len(self.causes) > 1 and all(cause.root.stages for cause in self.causes)

    @cached_property
    def is_repaired(self) -> bool:
        """Whether something was repaired and the target was examined again afterwards."""
        return self.run.after is not None

    @cached_property
    def present(self) -> frozenset[str]:
        """The fingerprints of what the last check finds."""
        return frozenset(finding.fingerprint for result in self.run.current for finding in result.findings)

    @cached_property
    def answered(self) -> frozenset[str]:
        """The codes of the checks that had an answer at the end."""
        return frozenset(result.code for result in self.run.current if result.status in (Status.PASS, Status.FAIL))

    def is_gone(self, finding: Finding) -> bool:
        """Tell whether the last check looked for a finding, did not find it, and still holds."""
        fingerprint = finding.fingerprint
        is_settled = self.is_repaired and fingerprint not in self._unsettled
        return is_settled and fingerprint not in self.present and finding.code in self.answered

    @cached_property
    def _unsettled(self) -> frozenset[str]:
        return frozenset(repair.fingerprint for repair in self.run.repairs if repair.status in UNSETTLED)

    @cached_property
    def are_removed(self) -> bool:
        """Whether the last check finds none of the root causes any more."""
        return all(self.is_gone(finding) for cause in self.causes for finding in cause.findings)

    @cached_property
    def still_open(self) -> tuple[Finding, ...]:
        """What the last check of a repaired run still finds, advice apart."""
        return tuple(f for result in self.run.after or () for f in result.findings if f.role is not Role.ADVICE)

    @cached_property
    def unknown(self) -> tuple[CheckResult, ...]:
        """What could not be told, and was not told later either."""
        results = (*self.run.current, *(one for one in self.run.before if one.code not in self.answered))
        unknown = {result.code: result for result in results if result.status is Status.UNKNOWN}
        return tuple(unknown.values())

    @cached_property
    def taken_back(self) -> str:
        """How many repairs were undone since, in words; nothing where none was."""
        return taken_back(self.run)

    @cached_property
    def written(self) -> tuple[Repair, ...]:
        """The repairs whose changes are in place."""
        return tuple(repair for repair in self.run.repairs if repair.status in WRITTEN)

    @cached_property
    def ended_at(self) -> datetime | None:
        """When the last repair that is dated ended."""
        dated = [(one.started_at, one.duration) for one in self.run.repairs if one.started_at is not None]
        return max((began + timedelta(seconds=took) for began, took in dated), default=None)


def marked(run: Run) -> Run:
    """Return a run in which each text of a finding for which only an estimate or a claim speaks says so."""
    if all(one.provenance is Provenance.MEASURED for finding in _every(run) for one in finding.evidence):
        return run
    after = None if run.after is None else tuple(map(_with_marks, run.after))
    return replace(run, before=tuple(map(_with_marks, run.before)), after=after)


def _every(run: Run) -> Iterator[Finding]:
    for result in (*run.before, *(run.after or ())):
        yield from result.findings


def _with_marks(result: CheckResult) -> CheckResult:
    return replace(result, findings=tuple(map(_marked, result.findings)))


def _marked(finding: Finding) -> Finding:
    worth = weakest(finding.evidence)
    if worth is Provenance.MEASURED:
        return finding
    return replace(
        finding,
        symptom=f"{finding.symptom} ({worth})",
        cause=f"{finding.cause} ({worth})",
        impacts=tuple(f"{impact} ({worth})" for impact in finding.impacts),
    )


def weakest(evidence: Sequence[Evidence]) -> Provenance:
    """Return the provenance of what rests on these facts: measured as soon as one of them was.

    Where there is none, a check has seen it itself.
    """
    kinds = {one.provenance for one in evidence}
    order = (Provenance.MEASURED, Provenance.ESTIMATED, Provenance.CLAIMED)
    return next((kind for kind in order if kind in kinds), Provenance.MEASURED)


def place(finding: Finding) -> str:
    """Return where a finding is: ``path:line`` with what stands there, or the kind and name of the resource."""
    resource = finding.resource
    if resource.location:
        return f"`{resource.location}` ({resource.id})"
    return f"{resource.kind} `{resource.id}`"


def time_of(text: str) -> datetime | None:
    """Return a time as a log's summary writes it, or None where it bears none; without a zone it is UTC."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def moment(time: datetime) -> str:
    """Return a time as a report shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def seconds(value: float) -> str:
    """Return a length of time in seconds, with one decimal."""
    return f"{value:,.1f} s"
