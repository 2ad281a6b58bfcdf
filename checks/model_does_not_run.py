"""A model that is there does not answer, or not in the time that the target waits.

## What it finds
With `doctor check --probe` only, because it costs money, or memory in which another model lies: one real generation
or one real embedding by each model in use, and what came of it.

## Why it hurts
A list of models promises nothing: the account may not enable the provider, the token may lack a permission, the model
may take longer to load than the client waits.

## How it is told from its look-alikes
A model that is not loaded is *cold*, not down: Ollama's `/api/ps` is asked before, and the answer says how long loading
took. A client that gives up while it loads stops the loading, so it never gets warm; the time that the target waits
(`MODEL_TIMEOUT_SECONDS` and its kin) is compared with it. A vector's length is compared with the columns of the chain
where only a real one tells it (for Ollama the server says it: EMB002). An answer that was cut (`length`) is no failure
of the model. A refusal is named as MOD001, MOD006 and MOD007 would: a missing model, a key, a permission, a provider.

## How to fix
By hand: let the target wait longer than loading takes, keep the model loaded (`OLLAMA_KEEP_ALIVE`), enable a provider,
or give the token the permission "Make calls to Inference Providers".

## False positives
A server that is busy with something else right now.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable

from doctor.api import (
    EMBEDDING,
    OPT_IN,
    PROBE,
    Chain,
    ClientTimeout,
    Database,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    HuggingFace,
    Mechanism,
    ModelExamination,
    ModelState,
    ModelUse,
    ModelVerdict,
    NotApplicableError,
    Observation,
    OllamaServer,
    Severity,
    Trial,
    TrialState,
    check,
    client_timeout,
    try_model,
    vector_columns,
)

REMEDIES = {
    TrialState.COLD: "let the target wait longer than the model takes to load, or keep it loaded",
    TrialState.SILENT: "look at the server's load and its log",
    TrialState.REFUSED_KEY: "correct the variable that holds the key",
    TrialState.NOT_ALLOWED: "give the token the permission `Make calls to Inference Providers`",
    TrialState.NOT_SERVED: "enable a provider of the model in the account's settings, or name another model",
    TrialState.FAILED: "read the server's words",
}


@check(
    "MOD011",
    "model-does-not-run",
    severity=Severity.ERROR,
    tags=["live", "slow", PROBE, OPT_IN],
    timeout=30.0,
    mechanisms=[
        Mechanism("MOD011", "CHN001", "the model call fails and the task gives up", ("stage",)),
        Mechanism("MOD011", "CHN002", "the model call fails until the task gives up", ("agent",)),
        Mechanism("MOD011", "CHN004", "the model call fails until the task gives up", ("agent",)),
    ],
)
async def model_does_not_run(
    examination: ModelExamination,
    environment: Environment,
    database: Database | None = None,
    chain: Chain | None = None,
) -> AsyncIterator[Finding | Observation]:
    """Let each model in use answer once."""
    usable = examination.of(ModelState.USABLE)
    if not usable:
        raise NotApplicableError("no model in use is there")
    waits = client_timeout(environment)
    takes = await _columns(database, chain)
    trials = await asyncio.gather(*(try_model(verdict.use) for verdict in usable))
    for verdict, trial in zip(usable, trials, strict=True):
        use, problem = verdict.use, _problem(verdict.use, trial, waits, takes)
        yield _finding(use, trial, *problem) if problem is not None else Observation(f"{use.model} {trial.said}")
        known = () if problem is None else verdict.ruled_out
        for hypothesis, measured in (*known, *_ruled_out(verdict, trial)):
            yield Observation(measured, rules_out=f"{hypothesis} ({use.model})")


async def _columns(database: Database | None, chain: Chain | None) -> dict[str, int]:
    """Return the vector columns of the chain and how many dimensions each takes."""
    if database is None or chain is None:
        return {}
    return {
        each.name: each.dimensions
        for each in await vector_columns(database)
        if each.dimensions and chain.stage_of_column(each.table_name, each.column)
    }


def _problem(
    use: ModelUse, trial: Trial, waits: ClientTimeout | None, takes: dict[str, int]
) -> tuple[str, str, str, Severity] | None:
    """Return symptom, cause, remedy and severity of what is wrong with an answer, or None."""
    if trial.state is not TrialState.RUNS:
        seen = f"`{use.model}` does not answer: {trial.said}; {use.role}"
        return seen, f"{use.server.endpoint.address}: {trial.state}", REMEDIES[trial.state], Severity.ERROR
    if waits is not None and (trial.load_seconds or 0) >= waits.seconds:
        gives_up = f"the target gives up before ({waits.name}={waits.seconds:g})"
        seen = f"`{use.model}` took {trial.load_seconds:.1f} s to load, and {gives_up}"
        return seen, "the client's time-out is shorter than a cold start", REMEDIES[TrialState.COLD], Severity.WARNING
    unfit = [f"{name} takes {number}" for name, number in takes.items() if number != trial.dimensions]
    if (
        trial.dimensions is not None and unfit and not isinstance(use.server, OllamaServer)
    ):  # of Ollama's, EMB002 says so
        seen = f"`{use.model}` embeds into {trial.dimensions} dimensions, and {', '.join(unfit)}"
        return seen, "model and column were not chosen together", "choose a model that fits the column", Severity.ERROR
    return None


def _ruled_out(verdict: ModelVerdict, trial: Trial) -> Iterable[tuple[str, str]]:
    if trial.state is TrialState.COLD:
        address = verdict.use.server.endpoint.address
        yield "model server down", f"{address} answers, and the model is not in its memory"
    if trial.state is TrialState.RUNS and trial.was_cold:
        yield "model down", f"it was cold and loaded in {trial.load_seconds or 0:.1f} s"
    if trial.state in (TrialState.NOT_SERVED, TrialState.NOT_ALLOWED) and isinstance(verdict.use.server, HuggingFace):
        yield "model not served", verdict.said


def _finding(use: ModelUse, trial: Trial, symptom: str, cause: str, remedy: str, severity: Severity) -> Finding:
    return Finding(
        code="MOD011",
        resource=use.resource,
        symptom=symptom,
        cause=cause,
        severity=Severity.WARNING if use.link else severity,
        stage=None if use.link else use.stage,
        subject=f"{use.capability} for {use.wanted_by.key}",
        group=use.model,
        related=(use.wanted_by,),
        evidence=(Evidence(EvidenceKind.HTTP, f"one real {_kind(use)} by {use.model}", trial.said),),
        rule="the target asks the same of the same server",
        fixes=(FixOption.by_hand(remedy, "it lies outside of what the doctor may change"),),
        validation="doctor check --probe --select MOD011",
    )


def _kind(use: ModelUse) -> str:
    return "embedding" if use.capability == EMBEDDING else "generation"
