"""A configured model does not exist on its server, or cannot do the job.

## What it finds
The model of an agent configuration (and its fallback), or of a variable of the environment, that is not in its server's
own list, has another tag there, lacks the capability that its role needs, or carries a provider that does not run it.

## Why it hurts
Each call answers 404; the task fails, is retried, and ends as a dead letter. In the log it looks like an outage.

## How it is told from its look-alikes
Names are compared as the server compares them: for Ollama a name without a tag means `:latest`, upper and lower case
are equal, and `:8b` does not satisfy a request for the untagged name; elsewhere every letter counts. The list comes
from the server itself, so a wrong base URL (MOD005) or a dead server (MOD002) is not mistaken for a missing model. Of
Hugging Face the Hub is asked who may read the model and who runs it: without access (MOD006) and without a provider
(MOD007) it is not missing. Missing counts only where the token is good and a public repository resolves. A name with a
provider (`:groq`) is read without it. Only Ollama says what a model can do; elsewhere an embedder is known by its name.

## How to fix
Point the row at the nearest model that the server has and that can do the job (safe, undo restores it; on a server
beyond this machine the one generation that proves it may cost money, so there it is unsafe), or pull the model (unsafe:
it downloads gigabytes).

## False positives
A model that is pulled on first use.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    LISTS,
    NO_MODELS,
    Applicability,
    CouldNotTellError,
    EndpointState,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    ModelExamination,
    ModelState,
    ModelUse,
    ModelVerdict,
    NotApplicableError,
    Observation,
    OllamaServer,
    Severity,
    check,
    is_local,
    without_provider,
)

STATES = (
    ModelState.MISSING,
    ModelState.OTHER_TAG,
    ModelState.INCAPABLE,
    ModelState.WRONG_PROVIDER,
    ModelState.MALFORMED,
)


@check(
    "MOD001",
    "model-not-available",
    severity=Severity.ERROR,
    tags=["live"],
    timeout=8.0,
    mechanisms=[
        Mechanism("MOD001", "CHN001", "the model call answers 404 and the task gives up", ("stage",)),
        Mechanism("MOD001", "CHN002", "the model call answers 404 until the task gives up", ("agent",)),
        Mechanism("MOD001", "CHN004", "the model call answers 404 until the task gives up", ("agent",)),
        Mechanism("MOD001", "EMB001", "nothing is extracted or no vector is computed", ("stage",)),
    ],
)
async def model_not_available(examination: ModelExamination) -> AsyncIterator[Finding | Observation]:
    """Compare every model in use with its server's own list."""
    if not examination.verdicts:
        raise NotApplicableError(NO_MODELS)
    examination.require_answers()
    if not examination.at(EndpointState.ANSWERS):
        raise NotApplicableError("no server gave its list of models; MOD002, MOD005 and MOD006 say why")
    for verdict in examination.of(*STATES, ModelState.UNCLEAR):
        if verdict.state is not ModelState.UNCLEAR:
            yield _finding(verdict, examination)
        for refuted in verdict.refutations():
            yield refuted
    present = [verdict.said for verdict in examination.of(ModelState.USABLE)]
    if present:
        missing = "model missing" if len(present) == len(examination.verdicts) else ""
        yield Observation(" · ".join(dict.fromkeys(present)), rules_out=missing)
    if untold := examination.untold():
        raise CouldNotTellError(untold)


def _finding(verdict: ModelVerdict, examination: ModelExamination) -> Finding:
    use, state = verdict.use, verdict.state
    spared = examination.has_working_link_beside(use)
    incapable = state is ModelState.INCAPABLE
    stage = None if spared else use.stage
    asked = f"GET {use.server.endpoint.address}{LISTS[use.server.kind]}"
    return Finding(
        code="MOD001",
        resource=use.resource,
        symptom=f"{_seen(verdict)}; {use.role}",
        cause=_cause(verdict),
        severity=Severity.WARNING if spared else Severity.ERROR,
        stage=stage,
        subject=f"{'incapable' if incapable else 'missing'} for {use.wanted_by.key}",
        group=use.model,
        impacts=(f"`{stage}` fails for every row",) if stage else (),
        related=(use.wanted_by,),
        evidence=(Evidence(EvidenceKind.HTTP, asked, verdict.said),),
        rule="the server answers 404 for a model that it does not have",
        fixes=_fixes(verdict),
        validation="doctor check --select MOD001",
    )


def _cause(verdict: ModelVerdict) -> str:
    use = verdict.use
    if verdict.state is ModelState.INCAPABLE:
        return f"{use.origin} names a model for a job that it cannot do"
    if verdict.is_alone:
        return f"{use.server.endpoint.address} has no model at all: it is fresh, another one, or its volume is missing"
    return f"{use.origin} names a model that the server does not have"


def _seen(verdict: ModelVerdict) -> str:
    use, address = verdict.use, verdict.use.server.endpoint.address
    name, provider = without_provider(use.model)
    if verdict.state is ModelState.INCAPABLE:
        return f"`{use.model}` cannot do `{use.capability}`, only {verdict.said}"
    if verdict.state is ModelState.WRONG_PROVIDER:
        return f"`{name}` is not run by `{provider}`: {verdict.said}"
    if verdict.state is ModelState.MALFORMED:
        return f"`{use.model}` is no name of a model of Hugging Face"
    drift = f", only with another tag: {', '.join(verdict.tags)}" if verdict.tags else ""
    return f"`{use.model}` is not on {address}{drift}"


def _fixes(verdict: ModelVerdict) -> tuple[FixOption, ...]:
    options = []
    if (new := _replacement(verdict)) is not None and verdict.use.row is not None:
        options.append(_repoint(verdict.use, new))
    if isinstance(verdict.use.server, OllamaServer) and verdict.state is not ModelState.INCAPABLE:
        options.append(
            FixOption(
                fix="pull-model",
                title=f"pull `{verdict.use.model}`",
                applicability=Applicability.UNSAFE,
                reason="downloads gigabytes to the model server, and is not taken back by undo",
                arguments={"server": verdict.use.server.url, "model": verdict.use.model},
                recommended=not options,
                tradeoff="keeps the configured model",
            )
        )
    if not options:
        name = f"`{new}`" if new else "a model that is there"
        options.append(
            FixOption.by_hand(f"name {name} in {verdict.use.origin}", "the doctor writes no files of settings")
        )
    return tuple(options)


def _replacement(verdict: ModelVerdict) -> str | None:
    if verdict.state is ModelState.WRONG_PROVIDER:
        return without_provider(verdict.use.model)[0]  # whichever provider is the fastest
    return None if verdict.nearest is None else verdict.nearest.name


def _repoint(use: ModelUse, model: str) -> FixOption:
    row, server = use.row, use.server
    assert row is not None
    column = "fallback_model" if use.link else "model_name"
    here = isinstance(server, OllamaServer) or is_local(server)
    return FixOption(
        fix="update-row",
        title=f"point `{row.name}` at `{model}`, which {server.endpoint.address} has",
        applicability=Applicability.SAFE if here else Applicability.UNSAFE,
        reason="one column of one existing row, to a model that is there and can do the job; undo restores it"
        if here
        else "one generation proves the model, and may cost money there; undo restores the row",
        arguments={
            "table": row.table,
            "key": {row.key_column: row.key},
            "before": {column: use.model},
            "after": {column: model},
            "kind": server.kind,
            "server": server.url,
            "key_env": (row.provider.api_key_env if row.provider else None) or "",
            "model": model,
        },
        recommended=True,
        tradeoff="another model gives other answers; pull the configured one where that matters"
        if here
        else "another model gives other answers",
    )
