"""The application accepts a token whose signature is wrong, so whoever writes a token is whoever he likes.

## What it finds
With `--token-env`, and an `endpoint` under `[target.auth]` in `doctor.toml`, the running application is shown the token
with another signature. It answers as it does to a verified user.

## Why it hurts
Authentication is open: anybody can be anybody. Nothing looks wrong, for good tokens work too.

## How it is told from its look-alikes
An endpoint that lets everybody in proves nothing, so it is asked without a token first. What is sent differs from the
given token in its signature only. Code whose default is open is AUT004, and explains this.

## How to fix
Verify the signature, with a fixed algorithm, and let nobody in when that fails.

## False positives
A proxy that answers from its cache.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    OPT_IN,
    Auth,
    CouldNotTellError,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    NoDocumentError,
    NotApplicableError,
    NoTokenError,
    Observation,
    Resource,
    Severity,
    Variable,
    check,
    take_apart,
)


@check("AUT015", "forged-token-accepted", severity=Severity.CRITICAL, tags=["live", OPT_IN])
async def forged_token_accepted(auth: Auth, token: Variable) -> AsyncIterator[Finding | Observation]:
    """Show the application a token that nobody may accept."""
    if not auth.settings.endpoint:
        raise NotApplicableError("no `endpoint` under [target.auth] in doctor.toml, or no API_URL")
    try:
        forged = take_apart(token.value, variable=token.name, origin=token.origin).damaged()
        nobody, answer = await auth.answer_to(None), await auth.answer_to(forged)
    except NoTokenError:
        raise NotApplicableError("what was given is no token") from None
    except NoDocumentError as error:
        raise CouldNotTellError(f"what the application says to a forged token: {error}") from error
    if 200 <= nobody.status < 300:
        raise NotApplicableError(f"{nobody.url} answers {nobody.status} without any token, so it proves nothing")
    if not 200 <= answer.status < 300:
        is_refusal = answer.status in (401, 403)  # who cannot verify at the moment proves nothing by not answering
        text = f"the application answers {answer.status} to a forged token"
        yield Observation(text, rules_out="application that lets forged tokens in" if is_refusal else "")
        return
    statuses = f"without a token {nobody.status}, with a forged one {answer.status}"
    yield Finding(
        code="AUT015",
        resource=Resource("service", "auth"),
        symptom=f"the application answers {answer.status} to a token whose signature was changed",
        cause="the application does not check signatures",
        severity=Severity.CRITICAL,
        subject="forged token",
        impacts=("anybody can be anybody",),
        evidence=(Evidence(EvidenceKind.HTTP, f"GET {answer.url}", statuses),),
        rule="a token proves nothing but by its signature (RFC 8725, 3.3)",
        fixes=(FixOption.by_hand("verify the signature with a fixed algorithm", "it is the application's code"),),
        validation=f"doctor check --select AUT015 --token-env {token.name}",
    )
