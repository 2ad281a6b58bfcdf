"""A model server refuses the key, or the key has no right to the model.

## What it finds
A key or token that its server does not take, a gated model whose licence the account has not accepted, and a model that
was withdrawn.

## Why it hurts
Each call fails, and the log of Hugging Face's client reads `Repository Not Found` for all of it.

## How it is told from its look-alikes
Hugging Face answers 401 to an anonymous question about anything that is not public: a typing error, a private
repository, or no token. So the token is asked for its account (`whoami`). Refused: it is the token. Accepted, and the
Hub says `GatedRepo`: the licence. Accepted, and a public repository resolves while this one does not: the name, which
is MOD001. Without a token nobody can tell missing from private: then MOD001 does not know, and says so. Who runs the
model is another question (MOD007), and so is a base URL at which nothing is found (MOD005). Keys are never shown.

## How to fix
Correct the variable that holds the key; accept the licence on the model's page; give the token the permission "Make
calls to Inference Providers"; set a token.

## False positives
None is known. A key that only this machine lacks, or that stands in a column, is never judged: columns that may hold a
key are not read, and what is refused without a key is reported as not judged.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    CouldNotTellError,
    EndpointReport,
    EndpointState,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    ModelExamination,
    ModelState,
    ModelVerdict,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    check,
    no_key_known,
)

WORDS = {
    ModelState.KEY: ("the key is refused", "correct the variable that holds the key"),
    ModelState.GATED: ("its licence has not been accepted", "accept the licence on the model's page with this account"),
    ModelState.DISABLED: ("access to it is disabled", "choose another model: the Hub has withdrawn this one"),
}


@check(
    "MOD006",
    "model-access-refused",
    severity=Severity.ERROR,
    tags=["live"],
    timeout=8.0,
    mechanisms=[
        Mechanism("MOD006", "CHN001", "the model call is refused and the task gives up", ("stage",)),
        Mechanism("MOD006", "CHN002", "the model call is refused until the task gives up", ("agent",)),
        Mechanism("MOD006", "CHN004", "the model call is refused until the task gives up", ("agent",)),
        Mechanism("MOD006", "EMB001", "nothing is extracted or no vector is computed", ("stage",)),
    ],
)
async def model_access_refused(examination: ModelExamination) -> AsyncIterator[Finding | Observation]:
    """Report the models whose use is refused, and servers that refuse the key without a model."""
    if not examination.reports:
        raise NotApplicableError("the target names no model server")
    examination.require_answers()
    for verdict in examination.of(*WORDS):
        yield _finding(verdict)
        for refuted in verdict.refutations():
            yield refuted
    unjudged = []
    for report in examination.at(EndpointState.KEY):
        if not report.server.sends_key:
            unjudged.append(no_key_known(report.server))
        elif not examination.uses_of(report.server):
            yield _unused(report)
        address = report.server.endpoint.address
        yield Observation(f"{address} answers, and knows the path", rules_out=f"base URL wrong ({address})")
    if unjudged:
        raise CouldNotTellError("; ".join(unjudged))


def _finding(verdict: ModelVerdict) -> Finding:
    use, (what, remedy) = verdict.use, WORDS[verdict.state]
    return Finding(
        code="MOD006",
        resource=use.resource,
        symptom=f"`{use.model}` at {use.server.endpoint.address}: {what}; {use.role}",
        cause=f"{use.server.endpoint.address}: {what}",
        severity=Severity.WARNING if use.link else Severity.ERROR,
        stage=None if use.link else use.stage,
        subject=f"{verdict.state} for {use.wanted_by.key}",
        group=use.server.endpoint.address if verdict.state is ModelState.KEY else use.model,
        impacts=(f"`{use.stage}` fails for every row",) if use.stage and not use.link else (),
        related=(use.wanted_by,),
        evidence=(Evidence(EvidenceKind.HTTP, use.server.endpoint.address, verdict.said),),
        rule="the server refuses each call",
        fixes=(FixOption.by_hand(remedy, "only the owner of the account can do that"),),
        validation="doctor check --select MOD006",
    )


def _unused(report: EndpointReport) -> Finding:
    address = report.server.endpoint.address
    return Finding(
        code="MOD006",
        resource=Resource("url", address),
        symptom=f"{address} refuses the key of {report.server.endpoint.origin or 'the environment'}",
        cause=f"{address}: the key is refused",
        severity=Severity.WARNING,
        group=address,
        evidence=(Evidence(EvidenceKind.HTTP, address, str(report.error)),),
        fixes=(FixOption.by_hand(WORDS[ModelState.KEY][1], "only the owner of the account can do that"),),
        validation="doctor check --select MOD006",
    )
