"""A fallback model answers in place of the primary one, which cannot, and nobody sees it.

## What it finds
An agent whose primary model is not usable while a fallback is, and a fallback that is not usable while the primary is:
each link of the chain is looked at, not only the first that answers.

## Why it hurts
With the primary dead, every answer comes from a model that was meant for emergencies, after a failed call each time.
With the fallback dead, there is none when it is needed. Neither is in any log as an error (casebook C15).

## How it is told from its look-alikes
Each link is judged by its own server, as MOD001, MOD006 and MOD007 do. Where no link is usable, those checks report the
causes and nothing is hidden. A chain of one link is no chain.

## How to fix
Repair the primary model, or make the fallback the primary on purpose.

## False positives
A primary that is switched off for now, on purpose.
"""

from collections import defaultdict
from collections.abc import AsyncIterator

from doctor.api import (
    NO_MODELS,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    ModelExamination,
    ModelState,
    ModelVerdict,
    NotApplicableError,
    Observation,
    Resource,
    Role,
    Severity,
    check,
)


@check("MOD009", "fallback-hides-failure", severity=Severity.WARNING, tags=["live"], timeout=8.0)
async def fallback_hides_failure(examination: ModelExamination) -> AsyncIterator[Finding | Observation]:
    """Judge the chains of models link by link."""
    if not examination.verdicts:
        raise NotApplicableError(NO_MODELS)
    chains: dict[Resource, list[ModelVerdict]] = defaultdict(list)
    for verdict in examination.verdicts:
        chains[verdict.use.wanted_by].append(verdict)
    links = {owner: verdicts for owner, verdicts in chains.items() if len(verdicts) > 1}
    for owner, verdicts in links.items():
        states = ", ".join(f"`{verdict.use.model}` {verdict.state}" for verdict in verdicts)
        usable = [verdict for verdict in verdicts if verdict.state is ModelState.USABLE]
        unclear = any(verdict.state is ModelState.UNCLEAR for verdict in verdicts)
        if usable and len(usable) < len(verdicts) and not unclear:
            yield _finding(owner, verdicts, usable[0], states)
        yield Observation(f"{len(usable)} of {len(verdicts)} models of {owner.id} usable")


def _finding(owner: Resource, verdicts: list[ModelVerdict], usable: ModelVerdict, states: str) -> Finding:
    primary = verdicts[0]
    if primary is usable:
        dead = next(verdict for verdict in verdicts if verdict.state is not ModelState.USABLE)
        symptom = f"the fallback `{dead.use.model}` of agent `{owner.id}` is {dead.state}: there is none in need"
    else:
        hidden = f"`{primary.use.model}` is {primary.state}"
        symptom = f"`{usable.use.model}` answers for agent `{owner.id}` and hides that {hidden}"
    return Finding(
        code="MOD009",
        resource=owner,
        symptom=symptom,
        cause="a fallback that answers, or is never asked, says nothing of the other links",
        severity=Severity.WARNING,
        role=Role.AMPLIFIER,
        subject=usable.use.model,
        related=tuple(verdict.use.resource for verdict in verdicts),
        evidence=tuple(
            Evidence(EvidenceKind.HTTP, f"link {number}: {verdict.use.model}", f"{verdict.state}: {verdict.said}")
            for number, verdict in enumerate(verdicts, start=1)
        ),
        fixes=(FixOption.by_hand("repair each link that is not usable, or take it out", states),),
        validation="doctor check --select MOD009",
    )
