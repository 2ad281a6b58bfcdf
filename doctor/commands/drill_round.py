"""One round of the drill: break, diagnose, compare, repair, prove, and bring the sandbox back to health."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.commands.examination import Selection, choose, examine_open
from doctor.commands.fix import repair_target
from doctor.commands.output import registry
from doctor.commands.verify import new_canaries
from doctor.drill.outcome import Outcome, Shown, Treatment
from doctor.fixing import Candidate, Policy, candidates
from doctor.model import Applicability, Run, Status
from doctor.target import Target
from doctor.verdict import ExitCode, exit_code
from doctor.verification import verify

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.rounds import Round
    from doctor.pipeline.sandbox.sandbox import Sandbox

CHAT = -4_300
MESSAGES = 15
SYMPTOMS_DEADLINE = 20.0
"""Seconds in which what stops the chain must show: a task is tried three times before it is a dead letter."""

PAUSE = 0.2
VERIFY_DEADLINE = 60.0


def run_round(sandbox: Sandbox, one: Round) -> Outcome:
    """Run a round in a sandbox that is healthy, and say what came of it, and what is left of it afterwards.

    Raises:
        SandboxError: the sandbox itself does not do what it is asked for.
    """
    from doctor.pipeline.sandbox.noise import NOISE
    from doctor.pipeline.sandbox.outages import OUTAGES

    if one.faults:
        sandbox.break_(*one.faults)
    elif one.name in OUTAGES:
        OUTAGES[one.name].begin(sandbox)
    elif one.name in NOISE:
        NOISE[one.name](sandbox)
    run = _diagnosed(sandbox, one)
    treatment = _treated(sandbox, run)
    return Outcome(
        name=one.name,
        kind=str(one.kind),
        expected=expected(one),
        shown=Shown.by(run),
        seconds=round(run.duration, 2),
        treatment=treatment,
        afterwards=left_after_healing(sandbox),
    )


def expected(one: Round) -> Shown:
    """Return what a round must show; every effect of a fault is caused by each root of the same fault."""
    from doctor.pipeline.sandbox.fault import find_fault

    alone = [find_fault(name).expected for name in one.faults]
    found = one.expected
    return Shown(
        roots=found.roots,
        edges=tuple((root, effect) for each in alone for root in each.roots for effect in each.effects),
        beside=(*found.contributing, *found.left_over, *found.advice),
        unknown=found.unknown,
    )


def left_after_healing(sandbox: Sandbox) -> str:
    """Take back all that a round has done, and return what a check still finds then; empty: the sandbox is healthy.

    Raises:
        SandboxError: the sandbox does not come back.
    """
    from doctor.pipeline.sandbox.resetting import reset

    reset(sandbox)
    run = check(sandbox)
    if exit_code(run) is ExitCode.OK:
        return ""
    unknown = [f"{one.code} unknown: {one.reason}" for one in run.current if one.status is Status.UNKNOWN]
    return "; ".join([*(f"{one.code}: {one.symptom}" for one in run.findings), *unknown])


def check(sandbox: Sandbox) -> Run:
    """Run every check, as ``doctor check`` does in the sandbox's folder."""

    async def work() -> Run:
        async with Target.at(sandbox.directory) as target:
            return await examine_open(target, choose(list(registry().checks.values()), Selection(), target))

    return asyncio.run(work())


def _diagnosed(sandbox: Sandbox, one: Round) -> Run:
    """Send messages where the chain is to stop, and check until that can be seen, or would have been.

    An outage is waited for, too: a worker that hangs has asked for tasks, and is missed when that has run out.
    """
    effects = set(one.expected.effects)
    wanted = set(one.expected.roots) if not one.faults else effects
    if effects:
        sandbox.send_messages(MESSAGES, CHAT)
    until = time.monotonic() + SYMPTOMS_DEADLINE
    while True:
        run = check(sandbox)
        shown = Shown.by(run)
        if wanted <= {*shown.roots, *(effect for _, effect in shown.edges)} or time.monotonic() > until:
            return run
        time.sleep(PAUSE)


def _treated(sandbox: Sandbox, run: Run) -> Treatment:
    """Repair what is safe. Where that is all, prove the chain; where nothing is, look that nothing was changed."""
    wrong = {one for root in run.diagnosis.roots for one in root.findings} | set(run.diagnosis.left_over)
    safe = {one.finding.fingerprint for one in candidates(run, registry().fixes) if _is_safe(one)}
    before = _source(sandbox)
    after = asyncio.run(
        repair_target(Target.at(sandbox.directory), Policy(lambda candidate, _plan: _is_safe(candidate)))
    )
    if not safe:
        return Treatment(left_alone=_source(sandbox) == before and Shown.by(after).roots == Shown.by(run).roots)
    if not wrong <= safe:
        return Treatment()
    repaired = wrong.isdisjoint(one.fingerprint for result in after.current for one in result.findings)
    return Treatment(repaired, repaired and asyncio.run(_is_proved(sandbox)))


def _is_safe(candidate: Candidate) -> bool:
    return candidate.option.applicability is Applicability.SAFE


def _source(sandbox: Sandbox) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sandbox.layout.app.rglob("*.py")}


async def _is_proved(sandbox: Sandbox) -> bool:
    async with Target.at(sandbox.directory) as target:
        canaries = new_canaries(MESSAGES)
        proof = await verify(target, canaries, deadline=VERIFY_DEADLINE)
    return proof.passed
