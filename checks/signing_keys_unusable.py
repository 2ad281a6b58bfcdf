"""The signing keys cannot be fetched, or no signature can be checked with what is served in their place.

## What it finds
The address of the signing keys (`CLERK_JWKS_URL` and the like, else what follows from the publishable key, the issuer
or its metadata) does not answer, or answers with something else: 404, 401, an error, a redirect, a page for people,
broken or endless JSON, no key, keys for encryption, keys without `kid`, keys of an unknown kind.

## Why it hurts
Every token is refused, whoever sends it. An application that has the keys in its cache works on until the cache is over
(five minutes with PyJWT's client and with Clerk's libraries), and then fails all at once: "it worked for minutes".

## How it is told from its look-alikes
The address is asked as PyJWT's client asks it from 2.14 on, without following redirects (a warning, unless the target's
requirements or lock file ask for such a PyJWT: others follow them), and the answer is kept, because *which*
answer it is decides: nothing listens, an unknown name, a time-out, TLS, or one of those above. HTML makes PyJWT raise a
`JSONDecodeError`, which is no `PyJWTError`, so that the application answers 500 and not 401. Keys that are there and do
not fit are not this check's business (AUT007, AUT008, AUT011). A name that only the network of a compose project knows
(`http://keycloak:8080`) is no outage: it cannot be told from here, and a command is named that can.

## How to fix
Correct the address where the finding says it came from, or let the application reach it. Answer 503 in the application
when the keys cannot be had: the token is not at fault.

## False positives
A provider that the application reaches and this machine does not.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from doctor.api import (
    Auth,
    CouldNotTellError,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    KeyFault,
    KeysUnreachable,
    KeysUnusable,
    Mechanism,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    check,
    counted,
    host_of,
    least_version,
    seen_from_here,
)

FOLLOWS_NONE = (2, 14)
"""The first PyJWT whose client follows no redirect."""


@check(
    "AUT005",
    "signing-keys-unusable",
    severity=Severity.CRITICAL,
    tags=["live"],
    guards="auth",
    mechanisms=[
        Mechanism("AUT005", "AUT014", "the application cannot have the keys either", ("service",)),
    ],
)
async def signing_keys_unusable(auth: Auth, environment: Environment) -> AsyncIterator[Finding | Observation]:
    """Fetch the keys as a verifier does."""
    if not auth.has_keys_address:
        raise NotApplicableError("tokens are verified with a static key, and no issuer is named")
    try:
        keys = await auth.keys()
    except KeysUnreachable as error:
        where = await seen_from_here(environment, error.address, error.reason, auth.answers_at)
        if where is not None:
            raise CouldNotTellError(f"cannot tell from here: {where.why}. This can: {where.command}") from error
        what, remedy = f"{error.reason.explanation}", error.reason.remedy
        yield _finding(auth, what, remedy, f"GET {error.address}", f"{error.reason}: {error.detail}", "")
        return
    except KeysUnusable as error:
        what = f"the address {error.fault.explanation}"
        found = _finding(auth, what, error.fault.remedy, f"GET {error.address}", error.detail, error.fault.raised)
        yield _where_followed(found) if _may_be_followed(error.fault, environment) else found
        return
    took = (keys.document.answered - keys.document.asked) * 1000
    text = f"{counted(len(keys.keys), 'signing key')} ({keys.shown}) in {took:.0f} ms"
    yield Observation(text, rules_out="signing keys out of reach")


def _may_be_followed(fault: KeyFault, environment: Environment) -> bool:
    """Tell whether the target's library may follow the redirect: only its own files say that it does not."""
    version = least_version(environment.root, "pyjwt")
    return fault is KeyFault.REDIRECT and (version is None or version < FOLLOWS_NONE)


def _where_followed(found: Finding) -> Finding:
    impacts = ("a library that follows no redirect refuses every token", *found.impacts[1:])
    rule = "PyJWT's client follows no redirect from 2.14 on; no file of the target asks for that version"
    return replace(found, severity=Severity.WARNING, impacts=impacts, rule=rule)


def _finding(auth: Auth, what: str, remedy: str, asked: str, said: str, raised: str) -> Finding:
    return Finding(
        code="AUT005",
        resource=Resource("service", "auth"),
        symptom=f"no signing keys at {auth.endpoint.address}: {what}",
        cause=what,
        severity=Severity.CRITICAL,
        impacts=(
            "every token is refused once the keys in the application's cache are older than its lifespan (300 s)",
            *((f"PyJWT's client raises {raised}",) if raised else ()),
        ),
        evidence=(Evidence(EvidenceKind.HTTP, asked, said),),
        related=(Resource("host", host_of(auth.settings.keys_url or auth.settings.issuer_address)),),
        rule="a signature is checked with one of these keys",
        fixes=(FixOption.by_hand(remedy, f"the address comes from {auth.endpoint.origin or 'the settings'}"),),
        validation="doctor check --select AUT005",
    )
