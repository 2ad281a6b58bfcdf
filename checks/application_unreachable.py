"""The application that takes the messages does not answer.

## What it finds
Nothing answers over HTTP at `API_URL` (or the variable named in `[target] api_env`): nothing listens, the name does not
resolve, nobody answers in time, something else does; or a proxy in front says that what stands behind it is away (502,
504).

## Why it hurts
Messages come in through it. Whoever sends them sees an error, and most do not send again for long: Telegram stops after
a day. The rest of the chain is well, and has nothing to do.

## How it is told from its look-alikes
Any answer will do, 404 and 401 included: asked is for the root, where an application does nothing. One that is up and
lacks its database answers 5xx, and the database is a finding of its own. A bare name, as only containers know it, is no
outage: then nobody can tell from here.

## How to fix
Start the application, or correct the address where the finding says it came from.

## False positives
A run where nothing but the servers is up, as in a CI job. Leave `API_URL` unset there, or ignore the code.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Application,
    ApplicationUnreachable,
    CouldNotTellError,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Observation,
    Resource,
    Severity,
    check,
    service_elsewhere,
)

AWAY = {502: "a proxy in front gets no answer from it", 504: "a proxy in front waits for it in vain"}
"""What a status says of what stands behind (RFC 9110, 15.6)."""


@check("APP001", "application-unreachable", severity=Severity.CRITICAL, tags=["live"])
async def application_unreachable(
    application: Application, environment: Environment
) -> AsyncIterator[Finding | Observation]:
    """Ask for the root of the application."""
    address = application.endpoint.address
    try:
        document = await application.answer()
    except ApplicationUnreachable as error:
        where = await service_elsewhere(environment, application.url, error.reason)
        if where is not None:
            raise CouldNotTellError(f"cannot tell from here: {where.why}. This can: {where.command}") from error
        said = f"{error.reason}: {error.detail or error.reason.explanation}"
        yield _finding(application, error.reason.explanation, error.reason.remedy, said)
        return
    if document.status in AWAY:
        yield _finding(application, AWAY[document.status], "start it, or correct the proxy", document.shown)
    else:
        yield Observation(f"the application answers at {address}", rules_out="application down")


def _finding(application: Application, cause: str, remedy: str, said: str) -> Finding:
    endpoint = application.endpoint
    return Finding(
        code="APP001",
        resource=Resource("service", "api"),
        symptom=f"the application at {endpoint.address}: {cause}",
        cause=f"the application: {cause}",
        severity=Severity.CRITICAL,
        impacts=("no message comes in",),
        evidence=(Evidence(EvidenceKind.HTTP, endpoint.address, said),),
        rule="every message comes in through it",
        fixes=(FixOption.by_hand(remedy, f"the address comes from {endpoint.origin}"),),
        validation="doctor check --select APP001",
    )
