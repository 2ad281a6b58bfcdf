"""A model server that the target uses cannot be reached.

## What it finds
The server in `OLLAMA_HOST` (or `OLLAMA_BASE_URL`) does not answer, or answers as something other than Ollama.

## Why it hurts
Nothing is extracted and nothing is embedded; tasks fail, are retried, and end as dead letters.

## How it is told from its look-alikes
Refused, unknown host, no answer in time, and "something else answers there" are different sentences. A server that
answers but lacks a model is not this check's business (MOD001). A name such as `ollama` that exists only inside a
compose network is said to be so.

## How to fix
Start the server, or correct the address where the finding says it came from.

## False positives
A server that the application reaches and this machine does not.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    ModelError,
    Models,
    ModelServerUnreachable,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    check,
    milliseconds,
)


@check(
    "MOD002",
    "model-server-unreachable",
    severity=Severity.CRITICAL,
    tags=["live"],
    guards="models",
    mechanisms=[
        Mechanism("MOD002", "CHN002", "the task's model call fails", ("service",)),
        Mechanism("MOD002", "CHN004", "the task's model call fails", ("service",)),
        Mechanism("MOD002", "CHN001", "the task's model call fails", ("service",)),
        Mechanism("MOD002", "EMB001", "no vector can be computed", ("service",)),
    ],
)
async def model_server_unreachable(models: Models) -> AsyncIterator[Finding | Observation]:
    """Ask the server for its version."""
    server = models.default
    if server is None:
        raise NotApplicableError("no OLLAMA_HOST in .env or the environment")
    try:
        took = await milliseconds(server.version())
    except ModelError as error:
        what, remedy = _what_and_remedy(error)
        yield Finding(
            code="MOD002",
            resource=Resource("service", "models"),
            symptom=f"the model server at {server.endpoint.address}: {what}",
            cause="the model server does not answer as Ollama does",
            severity=Severity.CRITICAL,
            impacts=("nothing is extracted or embedded",),
            evidence=(Evidence(EvidenceKind.HTTP, f"GET {server.endpoint.address}/api/version", _said(error)),),
            rule="every model call goes there",
            fixes=(FixOption.by_hand(remedy, f"the address comes from {server.endpoint.origin}"),),
            validation="doctor check --select MOD002",
        )
        return
    yield Observation(f"Ollama {server.server_version} answers in {took:.0f} ms", rules_out="model server down")


def _said(error: ModelError) -> str:
    if isinstance(error, ModelServerUnreachable):
        return error.detail or error.reason.explanation
    return str(error)


def _what_and_remedy(error: ModelError) -> tuple[str, str]:
    if isinstance(error, ModelServerUnreachable):
        return error.reason.explanation, error.reason.remedy
    return "something answers, but not as Ollama does", "correct the base URL: it leads to another service or path"
