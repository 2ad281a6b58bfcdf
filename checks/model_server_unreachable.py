"""A model server that the target uses cannot be reached.

## What it finds
A server in `OLLAMA_HOST` (or `OLLAMA_BASE_URL`), or of a provider row, that does not answer, answers as something else
(a page of a proxy, another kind of server, another program), or answers with an error of its own.

## Why it hurts
Nothing is extracted and nothing is embedded; tasks fail, are retried, and end as dead letters.

## How it is told from its look-alikes
Refused, unknown host, no answer in time, TLS, and "something else answers there" are different sentences. Where a plain
name gets port 80, Ollama's own port is tried; where Ollama answers 403 without a word, the same question with another
host name. A server whose list of models comes is not down, also when no model is loaded (cold). A wrong path (MOD005),
a refused key (MOD006) and a missing model (MOD001) are other checks' business. A name that only containers know, such
as `ollama` from a laptop, is no outage: then nobody can tell from here, and the reason holds the command that can.

## How to fix
Start the server, or correct the address where the finding says it came from.

## False positives
A provider row that nothing uses any more; set it inactive.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    TITLES,
    CouldNotTellError,
    Elsewhere,
    EndpointProblem,
    EndpointReport,
    EndpointState,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    ModelExamination,
    Models,
    NotApplicableError,
    Observation,
    OllamaServer,
    Resource,
    Role,
    Severity,
    address_problem,
    check,
    elsewhere,
    endpoint_problem,
)


@check(
    "MOD002",
    "model-server-unreachable",
    severity=Severity.CRITICAL,
    tags=["live"],
    guards="models",
    timeout=8.0,
    mechanisms=[
        Mechanism("MOD002", "CHN002", "the task's model call fails", ("service",)),
        Mechanism("MOD002", "CHN004", "the task's model call fails", ("service",)),
        Mechanism("MOD002", "CHN001", "the task's model call fails", ("service",)),
        Mechanism("MOD002", "EMB001", "no vector can be computed", ("service",)),
        Mechanism("MOD002", "MOD008", "the code asks the same address", ("url",)),
    ],
)
async def model_server_unreachable(
    examination: ModelExamination, models: Models, environment: Environment
) -> AsyncIterator[Finding | Observation]:
    """Look what is at the address of each server."""
    if not examination.reports:
        unasked = "; ".join(examination.unasked)
        raise NotApplicableError(unasked or "no OLLAMA_HOST in .env or the environment, and no row of a provider")
    for said in examination.unasked:
        yield Observation(said)
    cannot_tell = []
    for report in examination.reports:
        address = report.server.endpoint.address
        if report.state is EndpointState.ANSWERS:
            yield _answers(report)
        if (advice := address_problem(report)) is not None:
            yield _advice(report, advice)
        if report.state not in (EndpointState.UNREACHABLE, EndpointState.OTHER, EndpointState.TROUBLED):
            continue
        if (where := await elsewhere(models, environment, report)) is not None:
            if where.at:
                yield Observation(f"it answers at {where.at}", rules_out=f"model server down ({address})")
            cannot_tell.append(_from_elsewhere(where, report.server is models.default, environment))
            continue
        problem = await endpoint_problem(report)
        yield _finding(report, examination, problem)
        for hypothesis, measured in problem.ruled_out:
            yield Observation(measured, rules_out=f"{hypothesis} ({address})")
    if cannot_tell:
        raise CouldNotTellError("; ".join(cannot_tell))


def _from_elsewhere(where: Elsewhere, is_default: bool, environment: Environment) -> str:
    """Say why it cannot be told from here, and with which command it can."""
    variable = next((name for name in ("OLLAMA_HOST", "OLLAMA_BASE_URL") if environment.get(name)), None)
    command = f"{variable}={where.at} doctor check" if where.at and is_default and variable else where.command
    return f"cannot tell from here: {where.why}. This can: {command}"


def _answers(report: EndpointReport) -> Observation:
    server, took = report.server, report.seconds * 1000
    if not isinstance(server, OllamaServer):
        count = f"with {len(report.models)} models" if report.has_list else "without a list of models"
        text = f"{TITLES[server.kind]} at {server.endpoint.address} answers in {took:.0f} ms {count}"
        return Observation(text, rules_out=f"model server down ({server.endpoint.address})")
    took = report.beside.version_ms or took
    cold = "; no model is loaded: cold, not down" if report.beside.loaded == () else ""
    name = f"Ollama {server.server_version}" if server.server_version else "Ollama"
    return Observation(f"{name} answers in {took:.0f} ms{cold}", rules_out="model server down")


def _finding(report: EndpointReport, examination: ModelExamination, problem: EndpointProblem) -> Finding:
    server, address = report.server, report.server.endpoint.address
    origin = server.endpoint.origin or "the environment"
    is_used = bool(examination.uses_of(server)) or isinstance(server, OllamaServer)
    return Finding(
        code="MOD002",
        resource=Resource("service", "models"),
        symptom=f"the model server at {address}: {problem.what}",
        cause=problem.cause,
        severity=Severity.CRITICAL if is_used else Severity.WARNING,
        subject="" if report is examination.reports[0] else address,
        group=address,
        impacts=("nothing is extracted or embedded",) if is_used else (),
        related=(Resource("url", address),),
        evidence=(Evidence(EvidenceKind.HTTP, problem.asked, problem.said), *problem.evidence),
        rule="every model call goes there",
        fixes=(FixOption.by_hand(problem.remedy, f"the address comes from {origin}"),),
        validation="doctor check --select MOD002",
    )


def _advice(report: EndpointReport, advice: str) -> Finding:
    return Finding(
        code="MOD002",
        resource=Resource("url", report.server.endpoint.address),
        symptom=f"{report.server.endpoint.origin or 'the environment'} gives clients an address to listen at",
        cause=advice,
        severity=Severity.INFO,
        role=Role.ADVICE,
        subject="bind address",
        evidence=(Evidence(EvidenceKind.CONFIG, report.server.endpoint.origin, report.server.endpoint.address),),
        fixes=(FixOption.by_hand("write 127.0.0.1, or the host's name, for clients", advice),),
        validation="doctor check --select MOD002",
    )
