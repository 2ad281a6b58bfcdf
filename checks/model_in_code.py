"""A model or a model server that the code names cannot be used.

## What it finds
Clients that the code makes (`OpenAI(base_url=…)`, `InferenceClient(…)`, `ollama.Client(…)` and their kin) whose address
does not answer or knows no path, and models that are named beside them, in calls, defaults and lists of fallbacks,
that do not exist there, are gated, are run by nobody, or cannot do the job. Each link of a list is looked at. So is
what the code takes where a variable (`OLLAMA_HOST`, `OLLAMA_EMBEDDING_MODEL` and their kin) is not set.

## Why it hurts
Every call fails with the same `Not Found`, and people change the names of models although it is the address, or the
other way round (casebook C15).

## How it is told from its look-alikes
By the same questions as for rows and variables: a control probe for the path (MOD005), the token's account, access,
and providers for the model (MOD001, MOD006, MOD007). A variable of the environment wins over the literal behind it. A
file that makes clients of several servers says nothing of which one a name belongs to: then only the servers are
looked at. A client without an address, and without a key that is set, is an option that nobody has taken.

## How to fix
By hand, in the line that is named; the nearest model that can do the job, or the address that answers, is named too.

## False positives
An address that is replaced at run time. Code that no deployment uses.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    CouldNotTellError,
    EndpointReport,
    EndpointState,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Models,
    ModelServer,
    ModelState,
    ModelVerdict,
    NotApplicableError,
    Observation,
    Place,
    Resource,
    ServerFinder,
    Severity,
    Source,
    check,
    client_servers,
    default_uses,
    elsewhere,
    endpoint_problem,
    examine,
    model_calls,
)


@check("MOD008", "model-in-code-not-usable", severity=Severity.ERROR, tags=["live"], timeout=25.0)
async def model_in_code_not_usable(
    source: Source, models: Models, environment: Environment
) -> AsyncIterator[Finding | Observation]:
    """Look at the servers and models that the code names, as at those of rows and variables."""
    finder = ServerFinder(models, environment)
    defaults, unset = default_uses(source, environment, finder)
    servers: dict[ModelServer, tuple[Place, ...]] = {**defaults, **client_servers(source, environment, finder)}
    uses = (*model_calls(source, environment, finder), *unset)
    if not servers and not uses:
        raise NotApplicableError("the code names no model server, and no model that a variable does not set")
    examination = await examine(models, uses, servers)
    untold = [examination.untold()]
    for report in examination.reports:
        if report.state not in (EndpointState.ANSWERS, EndpointState.KEY):
            where = await elsewhere(models, environment, report)
            if where is None and report.server in servers:
                yield await _of_server(report, servers[report.server])
            elif where is not None:
                untold.append(f"cannot tell from here: {where.why}. This can: {where.command}")
    for verdict in examination.verdicts:
        if verdict.state not in (ModelState.USABLE, ModelState.UNCLEAR):
            yield _of_model(verdict)
            for refuted in verdict.refutations():
                yield refuted
    if usable := examination.of(ModelState.USABLE):
        yield Observation(" · ".join(verdict.said for verdict in usable))
    if any(untold):
        raise CouldNotTellError("; ".join(filter(None, untold)))


async def _of_server(report: EndpointReport, clients: tuple[Place, ...]) -> Finding:
    problem, client = await endpoint_problem(report), clients[0]
    is_path = report.state in (EndpointState.WRONG_PATH, EndpointState.GONE)
    at = "" if report.works_at is None else f"; {report.works_at.endpoint.address} answers"
    what = f"knows no path of its kind: every model is `not found` there{at}" if is_path else problem.what
    return Finding(
        code="MOD008",
        resource=Resource("url", report.server.endpoint.address, client.path, client.line),
        symptom=f"{report.server.endpoint.address}, which `{client.path}` asks: {what}",
        cause="the code holds a base URL with a wrong path" if is_path else problem.cause,
        severity=Severity.WARNING if report.state is EndpointState.UNREACHABLE else Severity.ERROR,
        group=report.server.endpoint.address,
        impacts=("every call of this client fails, whatever the model",),
        evidence=(
            *(Evidence(EvidenceKind.CODE, f"{each.path}:{each.line}", each.text) for each in clients[:4]),
            Evidence(EvidenceKind.HTTP, problem.asked, problem.said),
            *(Evidence(EvidenceKind.HTTP, "control", said) for said in report.controls),
        ),
        rule="a client asks the address that it was given",
        fixes=(FixOption.by_hand(problem.remedy, f"in {client.path}:{client.line}, or in the variable before it"),),
        validation="doctor check --select MOD008",
    )


def _of_model(verdict: ModelVerdict) -> Finding:
    use = verdict.use
    place = f"link {use.link} of a list of fallbacks" if use.link else "a model that the code asks for"
    nearest = "" if verdict.nearest is None else f": `{verdict.nearest.name}` is the nearest that can"
    return Finding(
        code="MOD008",
        resource=use.wanted_by,
        symptom=f"`{use.model}`, {place}, is {verdict.state} at {use.server.endpoint.address}: {verdict.said}",
        cause=f"{use.origin} names a model that cannot be used there",
        severity=Severity.WARNING if use.link > 1 else Severity.ERROR,
        group=use.model,
        related=(use.resource,),
        evidence=(Evidence(EvidenceKind.HTTP, use.server.endpoint.address, verdict.said),),
        rule="the server refuses a model that it does not have or may not give",
        fixes=(FixOption.by_hand(f"name another model in {use.origin}{nearest}", "which one is known to you alone"),),
        validation="doctor check --select MOD008",
    )
