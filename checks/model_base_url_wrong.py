"""The base URL of a model server leads to a path that does not exist, so every model is "not found".

## What it finds
A provider row or variable whose server answers, but knows no path below the base URL: `/v1` is missing or doubled, a
stale part stands before it (`/hf/v1`), `/v1` was given to Ollama's own client, or the service was retired (410).

## Why it hurts
Every request gets a 404, the primary model and every fallback alike. It reads as if the models were missing, and people
change their names; a fallback provider that answers hides it (casebook C15).

## How it is told from its look-alikes
By a control probe: a model that cannot exist and one that is configured are asked for. If both get the same answer, it
is the path; a server that knows the path names the model in JSON (then MOD001). The model is ruled out by that, and
the key by the answer not being 401. Then the paths nearby are tried, and the one that gives a list of models is named.
A server without a list is asked for a completion by a model that cannot exist, which costs nothing. What is no such
server under any path is MOD002.

## How to fix
Point the row at the address that answers (safe where that is this machine, undo restores it), or correct the variable.

## False positives
A gateway that serves one path only and lists nothing; then it also refuses the completion that is asked for.
"""

from collections.abc import AsyncIterator, Iterator

from doctor.api import (
    Applicability,
    EndpointReport,
    EndpointState,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    ModelExamination,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    check,
    is_local,
)


@check(
    "MOD005",
    "model-base-url-wrong",
    severity=Severity.ERROR,
    tags=["live"],
    timeout=8.0,
    mechanisms=[
        Mechanism("MOD005", "CHN001", "every model call answers 404 and the task gives up", ("stage",)),
        Mechanism("MOD005", "CHN002", "every model call answers 404 until the task gives up", ("agent",)),
        Mechanism("MOD005", "CHN004", "every model call answers 404 until the task gives up", ("agent",)),
        Mechanism("MOD005", "EMB001", "nothing is extracted or no vector is computed", ("stage",)),
        Mechanism("MOD005", "MOD008", "the code asks the same address", ("url",)),
    ],
)
async def model_base_url_wrong(examination: ModelExamination) -> AsyncIterator[Finding | Observation]:
    """Report the servers that know no path below their base URL."""
    if not examination.reports:
        raise NotApplicableError("the target names no model server")
    examination.require_answers()
    for report in examination.at(EndpointState.WRONG_PATH, EndpointState.GONE):
        yield _finding(report, examination)
        for hypothesis, measured in _ruled_out(report):
            yield Observation(measured, rules_out=f"{hypothesis} ({report.server.endpoint.address})")


def _ruled_out(report: EndpointReport) -> Iterator[tuple[str, str]]:
    """Yield what else lets every model be not found, each with what refutes it."""
    yield "model server down", f"something answers at {report.server.endpoint.address}"
    if report.state is EndpointState.GONE:
        yield "model missing", "it says so of its address, before it is told a model"
    elif len(set(report.controls)) == 1 and len(report.controls) > 1:
        said = "a model that cannot exist and the configured one get the same answer"
        yield "model missing", f"{said}: {report.controls[0]}"
    if (answer := report.answer) is not None and answer.status not in (401, 403):
        yield "key refused", f"the answer is {answer.status}, not 401 or 403"


def _finding(report: EndpointReport, examination: ModelExamination) -> Finding:
    address, uses = report.server.endpoint.address, examination.uses_of(report.server)
    stage = next((use.stage for use in uses if use.stage), None)
    gone = report.state is EndpointState.GONE
    at = "" if report.works_at is None else report.works_at.endpoint.address
    seen = "says that it is no longer served" if gone else "knows no path of its kind: every model is `not found` there"
    return Finding(
        code="MOD005",
        resource=Resource("url", address),
        symptom=f"{address} {seen}" + (f"; {at} answers" if at else ""),
        cause=f"{report.server.endpoint.origin or 'the environment'} holds a base URL with a wrong path",
        severity=Severity.ERROR if uses else Severity.WARNING,
        stage=stage,
        group=address,
        impacts=(f"`{stage}` fails for every row",) if stage else (),
        related=tuple(dict.fromkeys(use.wanted_by for use in uses)),
        evidence=tuple(_evidence(report, at)),
        rule="a server that does not know the path answers 404 whatever the model",
        fixes=tuple(_fixes(report, examination, at)),
        validation="doctor check --select MOD005",
    )


def _evidence(report: EndpointReport, at: str) -> list[Evidence]:
    address = report.server.endpoint.address
    found = [Evidence(EvidenceKind.HTTP, f"the list of models of {address}", str(report.answer or report.error))]
    names = ("a model that cannot exist", "the configured model")
    found += [Evidence(EvidenceKind.HTTP, name, said) for name, said in zip(names, report.controls, strict=False)]
    return [*found, Evidence(EvidenceKind.HTTP, at, "answers with its list of models")] if at else found


def _fixes(report: EndpointReport, examination: ModelExamination, at: str) -> list[FixOption]:
    origin = report.server.endpoint.origin or "the environment"
    if report.works_at is None:
        right = "https://router.huggingface.co/v1" if report.server.kind == "huggingface" else "its documented base URL"
        return [FixOption.by_hand(f"write {right} in {origin}", "no path nearby answers")]
    rows = [(use, use.row.provider) for use in examination.uses_of(report.server) if use.row and use.row.provider]
    providers = {provider.key: (use, provider) for use, provider in reversed(rows)}
    options = []
    for use, provider in providers.values():
        here = is_local(report.works_at)
        options.append(
            FixOption(
                fix="update-row",
                title=f"point provider `{provider.name}` at {at}",
                applicability=Applicability.SAFE if here else Applicability.UNSAFE,
                reason="one column of one existing row, to an address that gave its list of models; undo restores it"
                if here
                else "one generation proves the address, and may cost money there; undo restores the row",
                arguments={
                    "table": provider.table,
                    "key": {provider.key_column: provider.key},
                    "before": {"base_url": provider.base_url},
                    "after": {"base_url": report.works_at.url},
                    "kind": report.server.kind,
                    "server": report.works_at.url,
                    "key_env": provider.api_key_env or "",
                    "model": use.model,
                },
                recommended=True,
            )
        )
    return options or [FixOption.by_hand(f"write {at} in {origin}", "the doctor writes no files of settings")]
