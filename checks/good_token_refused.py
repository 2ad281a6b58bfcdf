"""The application refuses a token that fails no check, so it verifies with something else than its settings say.

## What it finds
With `--token-env`, and an `endpoint` under `[target.auth]` in `doctor.toml`, the token is shown to the running
application. It fails no check that a verifier makes, and the answer is 401, 403, 500 or 503 all the same.

## Why it hurts
Users with good sessions are locked out, and the settings look right: whoever reads them finds nothing.

## How it is told from its look-alikes
The same token is played through with the published keys first, so that it is no fault of the token. The status says
where to look: 401, another issuer or key in the process than in its settings; 500, an error of the verifier that is no
refusal; 503, keys that the application cannot fetch. What is wrong with the code (AUT003) or the keys (AUT005) explains
it.

## How to fix
Mend the cause that stands above it. Where there is none, start the application again: it has old settings, or old keys.

## False positives
An endpoint that wants more than a verified user, such as a role.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    OPT_IN,
    Auth,
    CouldNotTellError,
    Document,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    NoDocumentError,
    NotApplicableError,
    NoTokenError,
    Observation,
    Resource,
    Role,
    Severity,
    StepOutcome,
    Variable,
    check,
    play_through,
    take_apart,
)

MEANINGS = {
    401: "it verifies with another issuer, key or clock than its settings say, or has old ones in its memory",
    403: "it has verified the token and lets this user in no further, or refuses its origin",
    500: "its verifier raises an error that it does not take for a refusal",
    503: "it cannot fetch the keys with which it would verify",
}


@check("AUT014", "good-token-refused", severity=Severity.ERROR, tags=["live", OPT_IN])
async def good_token_refused(auth: Auth, token: Variable) -> AsyncIterator[Finding | Observation]:
    """Show a token that fails no check to the application."""
    if not auth.settings.endpoint:
        raise NotApplicableError("no `endpoint` under [target.auth] in doctor.toml, or no API_URL")
    try:
        taken = take_apart(token.value, variable=token.name, origin=token.origin)
    except NoTokenError:
        raise NotApplicableError("what was given is no token") from None
    steps = play_through(taken, auth.settings, await auth.keys_or_none(), auth.clock())
    if any(step.outcome is StepOutcome.FAILED for step in steps):
        raise NotApplicableError("the token itself fails a check, so that it is refused rightly")
    try:
        answer = await auth.answer_to(taken.secret)
    except NoDocumentError as error:
        raise CouldNotTellError(f"what the application says to the token: {error}") from error
    if answer.status in MEANINGS:
        yield _finding(token.name, answer)
    elif 200 <= answer.status < 300:
        yield Observation(f"the application answers {answer.status} to the token", rules_out="good tokens refused")
    else:
        raise CouldNotTellError(f"whether the application takes the token: {answer.url} answers {answer.status}")


def _finding(name: str, answer: Document) -> Finding:
    return Finding(
        code="AUT014",
        resource=Resource("service", "auth"),
        symptom=f"the application answers {answer.status} to the token in {name}, which fails no check",
        cause=MEANINGS[answer.status],
        severity=Severity.ERROR,
        role=Role.SYMPTOM,
        subject="good token",
        impacts=("users with good sessions are locked out",),
        evidence=(Evidence(EvidenceKind.HTTP, f"GET {answer.url}", answer.shown),),
        fixes=(FixOption.by_hand("mend the cause, or start the application again", "it has old settings or keys"),),
        validation=f"doctor check --select AUT --token-env {name}",
    )
