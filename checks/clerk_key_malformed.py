"""A variable for one of Clerk's keys holds something else, so that nothing can be verified or asked with it.

## What it finds
A publishable key that is not `pk_test_` or `pk_live_` and base64 of `<host>$`: cut off, a placeholder, undecodable. A
secret key that is not `sk_test_` or `sk_live_` and a key. The two exchanged.

## Why it hurts
The publishable key says which instance issues the tokens: without it the issuer and the address of the keys are wrong
or empty. A secret key in a variable for the publishable one is sent to every browser.

## How it is told from its look-alikes
The key is decoded, not looked at; nobody is asked. That two good keys do not fit together is AUT007.

## How to fix
Copy the keys again from the page "API keys" of the instance in Clerk's dashboard. A secret key that was public must be
rotated there first.

## False positives
A key of another service in a variable with Clerk's name.
"""

from collections.abc import Iterator

from doctor.api import (
    Auth,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Observation,
    Resource,
    Severity,
    Variable,
    check,
)


@check(
    "AUT006",
    "clerk-key-malformed",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[
        Mechanism("AUT006", "AUT007", "a key that is none fits with no other", ("variable",)),
        Mechanism("AUT006", "AUT011", "the instance that issues the tokens is not known", ("claim",)),
    ],
)
def clerk_key_malformed(auth: Auth) -> Iterator[Finding | Observation]:
    """Decode each key."""
    settings = auth.settings
    for key in settings.publishable:
        if key.is_secret_key:
            yield _public_secret(key.variable)
        elif key.problem:
            yield _finding(key.variable, "publishable key", key.problem)
        else:
            yield Observation(
                f"{key.variable.name} is a {key.mode} key of {key.host}", rules_out="malformed publishable key"
            )
    secret = settings.secret
    if secret is not None and secret.problem:
        yield _finding(secret.variable, "secret key", secret.problem)
    elif secret is not None:
        yield Observation(f"{secret.variable.name} is a {secret.mode} key", rules_out="malformed secret key")


def _finding(variable: Variable, kind: str, problem: str) -> Finding:
    return Finding(
        code="AUT006",
        resource=variable.resource,
        symptom=f"{variable.name} holds no {kind}; {problem}",
        cause=f"{problem} ({variable.origin})",
        severity=Severity.ERROR,
        impacts=("the issuer and the address of the signing keys cannot be told",) if kind == "publishable key" else (),
        evidence=(Evidence(EvidenceKind.CONFIG, variable.origin, problem),),
        related=(Resource("claim", "kid"), Resource("claim", "iss")) if kind == "publishable key" else (),
        rule="clerk: pk_ is followed by base64 of the host and a dollar sign, sk_ by an opaque key",
        fixes=(FixOption.by_hand(f"copy the {kind} again from the dashboard", "it is known there only"),),
        validation="doctor check --select AUT006",
    )


def _public_secret(variable: Variable) -> Finding:
    return Finding(
        code="AUT006",
        resource=variable.resource,
        symptom=f"{variable.name} holds a secret key, and publishable keys are sent to every browser",
        cause=f"the secret key stands in the variable of the publishable one ({variable.origin})",
        severity=Severity.CRITICAL,
        subject="secret",
        impacts=("whoever has it can do everything with the instance's users",),
        evidence=(Evidence(EvidenceKind.CONFIG, variable.origin, f"{variable.name} begins with `sk_`"),),
        rule="clerk: a secret key opens the whole instance",
        fixes=(FixOption.by_hand("rotate the secret key, then exchange the two", "only the dashboard can rotate it"),),
        validation="doctor check --select AUT006",
    )
