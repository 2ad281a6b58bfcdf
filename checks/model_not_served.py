"""A model exists on Hugging Face, and no inference provider runs it.

## What it finds
A model that the router does not offer, or offers without a provider that is live.

## Why it hurts
The router answers 400, `not supported by any provider you have enabled`, to each call, although the model's page is
there and the token is good.

## How it is told from its look-alikes
The router's list and the Hub's mapping of providers are read. No live provider in either: nobody runs it. Live in the
mapping, and the router does not offer it: the account has not enabled that provider. Missing (MOD001), gated, private
or with a bad token (MOD006) and a wrong base URL (MOD005) are ruled out by the same questions, and it says by what.

## How to fix
Take a model that is run (the nearest is named), enable a provider in the account's settings, or run the model yourself.

## False positives
A model that the target loads itself, and asks no router for.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    NO_MODELS,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    HuggingFace,
    Mechanism,
    ModelExamination,
    ModelState,
    ModelVerdict,
    NotApplicableError,
    Observation,
    Severity,
    check,
)


@check(
    "MOD007",
    "model-not-served",
    severity=Severity.ERROR,
    tags=["live"],
    timeout=8.0,
    mechanisms=[
        Mechanism("MOD007", "CHN001", "the router refuses the call and the task gives up", ("stage",)),
        Mechanism("MOD007", "CHN002", "the router refuses the call until the task gives up", ("agent",)),
        Mechanism("MOD007", "CHN004", "the router refuses the call until the task gives up", ("agent",)),
        Mechanism("MOD007", "EMB001", "nothing is extracted or no vector is computed", ("stage",)),
    ],
)
async def model_not_served(examination: ModelExamination) -> AsyncIterator[Finding | Observation]:
    """Report the models that nobody runs."""
    if not examination.verdicts:
        raise NotApplicableError(NO_MODELS)
    routed = [verdict for verdict in examination.verdicts if isinstance(verdict.use.server, HuggingFace)]
    for verdict in examination.of(ModelState.NOT_SERVED):
        yield _finding(verdict)
        for refuted in verdict.refutations():
            yield refuted
    if served := [verdict.said for verdict in routed if verdict.state is ModelState.USABLE]:
        yield Observation(" · ".join(served))


def _finding(verdict: ModelVerdict) -> Finding:
    use = verdict.use
    nearest = "" if verdict.nearest is None else f"; the nearest that is run is `{verdict.nearest.name}`"
    return Finding(
        code="MOD007",
        resource=use.resource,
        symptom=f"no provider runs `{use.model}`: {verdict.said}; {use.role}",
        cause=f"{use.origin} names a model that the router cannot send to anybody",
        severity=Severity.WARNING if use.link else Severity.ERROR,
        stage=None if use.link else use.stage,
        subject=f"not served for {use.wanted_by.key}",
        group=use.model,
        impacts=(f"`{use.stage}` fails for every row",) if use.stage and not use.link else (),
        related=(use.wanted_by,),
        evidence=(Evidence(EvidenceKind.HTTP, f"providers of {use.model}", verdict.said),),
        rule="the router answers 400 for a model that no enabled provider runs",
        fixes=(
            FixOption.by_hand(
                f"choose another model or provider{nearest}", "which model may take its place is known to you alone"
            ),
        ),
        validation="doctor check --select MOD007",
    )
