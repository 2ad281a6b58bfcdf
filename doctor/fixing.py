"""Repairs: plan, preview, apply, check again, record; roll back what did not help.

Order: by phase, and within a phase by root. Only causes of high or confirmed confidence are repaired, and damage that
they left behind. What the repairs set free (waiting rows) is requeued last, once no cause is left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.check import Check
from doctor.fix import Fix, FixContext, FixError, Limits, NothingToDoError, Phase, Plan, Writers
from doctor.journal import Journal, JournalError, in_reverse, repair_begins
from doctor.late import psycopg
from doctor.model import (
    Applicability,
    CheckResult,
    Confidence,
    Finding,
    FixOption,
    Repair,
    RepairStatus,
    Run,
    Status,
)
from doctor.redaction import redact
from doctor.resources.database import DatabaseError
from doctor.resources.model_server import ModelError
from doctor.resources.nats import NatsError
from doctor.resources.unreachable import ResourceUnreachable
from doctor.runner import run_checks
from doctor.source.index import SourceError
from doctor.target import NotConfiguredError, Target
from doctor.writers import DatabaseWriter, ModelWriter, QueueWriter, SourceWriter, Undo

if TYPE_CHECKING:
    from doctor.resources.processes import Process

RESTART_PATIENCE = 30.0
"""Seconds to wait for processes to start again on repaired source, when something restarts them at all."""

RESTART_POLL = 0.2

TASKIQ_SUBJECT = "taskiq_tasks"
"""The subject on which taskiq-nats publishes unless told otherwise (taskiq-nats 0.7)."""

REPAIR_ERRORS = (
    FixError,
    ResourceUnreachable,
    DatabaseError,
    NatsError,
    ModelError,
    SourceError,
    psycopg.Error,
    OSError,
)
"""What can go wrong with a repair without being a bug of the fix."""

_HELD = (RepairStatus.VERIFIED, RepairStatus.UNCHANGED)

_WAITS_FOR_CAUSE = (
    "a cause further up is not repaired yet, so the tasks would fail again; repair it, then run `doctor fix`"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding and the repair chosen for it."""

    finding: Finding
    option: FixOption
    fix: Fix


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be done. ``decide`` is asked for each plan and answers yes or no; ``codes`` limits the findings.

    Once ``stopped`` says so, nothing more is planned, asked or waited for.
    """

    decide: Callable[[Candidate, Plan], bool]
    codes: tuple[str, ...] = ()
    preview_only: bool = False
    limits: Limits = field(default_factory=Limits)
    progress: Callable[[str], None] = lambda _text: None
    stopped: Callable[[], bool] = lambda: False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def candidates(run: Run, fixes: Mapping[str, Fix], codes: Sequence[str] = ()) -> list[Candidate]:
    """Return the repairs of a diagnosed run in the order in which they are to be made.

    Without ``codes``: roots of high confidence, what contributes to them, what was left over. With ``codes`` (or
    prefixes): whatever findings carry them, advice only where its repair is recommended. Findings whose recommended
    option no installed fix implements are left out; where it is one for a person, naming the code asks for the first
    that is not.
    """
    diagnosis = run.diagnosis
    order: list[str] = []
    for root in diagnosis.roots:
        if root.confidence.rank >= Confidence.HIGH.rank:
            order += root.findings
            order += [effect.fingerprint for effect in root.effects]
    order += [*diagnosis.contributing, *diagnosis.left_over, *(item.fingerprint for item in diagnosis.unexplained)]
    if codes:
        order += [one for one in diagnosis.advice if any(option.recommended for option in run.finding(one).fixes)]
        order = [fingerprint for fingerprint in order if run.finding(fingerprint).code.startswith(tuple(codes))]
    found = []
    for fingerprint in dict.fromkeys(order):
        finding = run.finding(fingerprint)
        option = finding.recommended_fix
        if codes and option is not None and option.applicability is Applicability.MANUAL:
            option = next((other for other in finding.fixes if other.fix in fixes), None)
        if option is not None and option.fix in fixes:
            found.append(Candidate(finding, option, fixes[option.fix]))
    return sorted(found, key=lambda candidate: candidate.fix.phase)


class Repairer:
    """Applies repairs to one open target and journals them under one run."""

    def __init__(self, target: Target, journal: Journal, checks: Mapping[str, Check], policy: Policy) -> None:
        self._target = target
        self._journal = journal
        self._checks = checks
        self._policy = policy
        self._running: frozenset[str] = frozenset()
        """The kinds of the target's processes that ran before its source was repaired."""
        self._answered = False
        """Whether the application answered before its source was repaired."""

    async def repair(self, chosen: Sequence[Candidate], blocking: Sequence[str]) -> list[Repair]:
        """Make these repairs, one after the other, and return what became of each.

        ``blocking`` are the fingerprints that must be repaired before anything is requeued. Source repairs share one
        wait for restarted processes.
        """
        repairs: list[Repair] = []
        for phase in Phase:
            group = [candidate for candidate in chosen if candidate.fix.phase is phase]
            if self._policy.stopped():
                break
            missing = set(blocking) - {repair.fingerprint for repair in repairs if repair.status in _HELD}
            if phase is Phase.REQUEUE and missing and not self._policy.preview_only:
                repairs += [_repair(one, RepairStatus.REFUSED, "", _WAITS_FOR_CAUSE) for one in group]
                continue
            if phase is Phase.SOURCE and group:
                self._running = await asyncio.to_thread(self._kinds)
                self._answered = await self._application_answers()
            made = [await self._one(candidate) for candidate in group if not self._policy.stopped()]
            if phase is Phase.SOURCE and any(repair.status is RepairStatus.VERIFIED for repair in made):
                made = await self._after_restart(made)
            repairs += made
        return repairs

    async def _one(self, candidate: Candidate) -> Repair:
        self._policy.progress(candidate.option.title)
        started_at = self._policy.now()
        return replace(await self._made(candidate), started_at=started_at)

    async def _made(self, candidate: Candidate) -> Repair:
        started = time.perf_counter()
        try:
            resources = await self._resources(candidate.fix)
            context = FixContext(candidate.finding, candidate.option.arguments, self._policy.limits, resources)
            plan = await candidate.fix.plan(context)
        except NothingToDoError as error:
            return _repair(candidate, RepairStatus.UNCHANGED, "", str(error), started=started)
        except (NotConfiguredError, *REPAIR_ERRORS) as error:
            return _repair(candidate, RepairStatus.REFUSED, "", _said(error), started=started)
        if self._policy.preview_only or not self._policy.decide(candidate, plan):
            return _repair(candidate, RepairStatus.PLANNED, plan.preview, plan.summary, plan.touches, started)
        return await self._apply(candidate, context, plan, started)

    async def _apply(self, candidate: Candidate, context: FixContext, plan: Plan, started: float) -> Repair:
        first_step = len(self._journal)
        self._journal.append(repair_begins(candidate.finding.fingerprint))
        try:
            outcome = await candidate.fix.apply(context, plan, self._writers())
        except REPAIR_ERRORS as error:
            return await self._failed(candidate, plan, _said(error), first_step, started)
        if await self._still_found(candidate.finding):
            reason = f"{outcome}; {candidate.finding.code} still finds it"
            return await self._failed(candidate, plan, reason, first_step, started)
        return _repair(candidate, RepairStatus.VERIFIED, plan.preview, outcome, plan.touches, started)

    async def _failed(self, candidate: Candidate, plan: Plan, reason: str, first_step: int, started: float) -> Repair:
        """Take a repair back that did not help; keep what an incremental one has done."""
        if candidate.fix.incremental:
            return _repair(candidate, RepairStatus.PARTIAL, plan.preview, reason, plan.touches, started)
        try:
            await self._roll_back(first_step)
        except (JournalError, NotConfiguredError, *REPAIR_ERRORS) as error:
            reason = f"{reason}; not rolled back: {_said(error)}; `doctor undo` tries again"
            return _repair(candidate, RepairStatus.PARTIAL, plan.preview, reason, plan.touches, started)
        return _repair(candidate, RepairStatus.ROLLED_BACK, plan.preview, reason, plan.touches, started)

    async def _still_found(self, finding: Finding) -> bool:
        result = await self.check_again(finding.code)
        return result.status in (Status.SKIP, Status.UNKNOWN) or any(
            again.fingerprint == finding.fingerprint for again in result.findings
        )

    async def check_again(self, code: str) -> CheckResult:
        """Run one check afresh, with the source read again."""
        self._target.forget("source", "examination")
        (result,) = await run_checks([self._checks[code]], self._target)
        return result

    async def _roll_back(self, first_step: int) -> None:
        undo = Undo(self._target.root, self._journal, partial(self._target.provide, "database"))
        for entry in in_reverse(self._journal.entries()):
            if entry["step"] >= first_step:
                await undo.revert(entry)

    async def _after_restart(self, repairs: list[Repair]) -> list[Repair]:
        """Wait for processes that still run the old code; name those that do not restart by themselves."""
        self._policy.progress("waiting for the worker and the API to restart on the repaired source")
        stale = await self.await_restart()
        if not stale:
            return repairs if self._target.environment.processes() else [_restart_elsewhere(one) for one in repairs]
        names = ", ".join(f"{process.kind} (pid {process.pid})" for process in stale)
        return [
            replace(
                repair, status=RepairStatus.RESTART_NEEDED, outcome=f"{repair.outcome}; still on the old code: {names}"
            )
            if repair.status is RepairStatus.VERIFIED
            else repair
            for repair in repairs
        ]

    async def await_restart(self) -> Sequence[Process]:
        """Return who still runs code older than the journalled changes, after giving them time to restart.

        Whoever has ended for it is waited for until it runs again, and the application until it answers again.
        """
        files = [Path(entry["path"]) for entry in self._journal.entries() if entry["kind"] == "file"]

        def stale_processes() -> list[Process]:
            found = {
                process.pid: process for path in files for process in self._target.environment.running_old_code(path)
            }
            return list(found.values())

        deadline = time.monotonic() + (0 if self._policy.stopped() else RESTART_PATIENCE)
        stale = await asyncio.to_thread(stale_processes)
        while (stale or await self._is_away()) and time.monotonic() < deadline:
            await asyncio.sleep(RESTART_POLL)
            stale = await asyncio.to_thread(stale_processes)
        return stale

    async def _is_away(self) -> bool:
        """Whether something that ran before the repair does not run yet, or does not answer yet."""
        gone = self._running - await asyncio.to_thread(self._kinds)
        return bool(gone) or (self._answered and not await self._application_answers())

    async def _application_answers(self) -> bool:
        try:
            await (await self._target.provide("application")).answer()
        except (NotConfiguredError, ResourceUnreachable):
            return False
        return True

    def _kinds(self) -> frozenset[str]:
        kinds = {process.kind for process in self._target.environment.processes()}
        return frozenset(kind for kind in kinds if kind != "other")

    async def _resources(self, fix: Fix) -> dict[str, object]:
        found = {name: await self._target.provide(name) for name in fix.needs}
        for name in fix.optional:
            with suppress(NotConfiguredError, ResourceUnreachable, SourceError):
                found[name] = await self._target.provide(name)
        return found

    def _writers(self) -> Writers:
        chain = self._target.chain_or_none()
        subject = TASKIQ_SUBJECT if chain is None else chain.queue_subject
        return Writers(
            source=SourceWriter(self._target.root, self._journal),
            database=DatabaseWriter(partial(self._target.provide, "database"), self._journal),
            queue=QueueWriter(partial(self._target.provide, "nats"), self._journal, subject),
            models=ModelWriter(partial(self._target.provide, "models"), self._journal),
            progress=self._policy.progress,
        )


def _restart_elsewhere(repair: Repair) -> Repair:
    if repair.status is not RepairStatus.VERIFIED:
        return repair
    return replace(repair, outcome=f"{repair.outcome}; restart the worker and the API, wherever they run")


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if isinstance(error, OSError) else str(error)


def _repair(
    candidate: Candidate,
    status: RepairStatus,
    preview: str,
    outcome: str,
    touched: tuple[str, ...] = (),
    started: float | None = None,
) -> Repair:
    return Repair(
        fix=candidate.fix.name,
        code=candidate.finding.code,
        fingerprint=candidate.finding.fingerprint,
        title=candidate.option.title,
        applicability=candidate.option.applicability,
        status=status,
        preview=preview,
        outcome=redact(outcome),
        touched=touched,
        duration=0.0 if started is None else time.perf_counter() - started,
    )
