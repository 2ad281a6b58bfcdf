"""A verifier takes the algorithms of a shared secret beside those of a public key, with one key for both.

## What it finds
A `decode` of PyJWT or python-jose whose list of algorithms holds `HS256` (or another HS) together with `RS256`, `ES256`
and the like:

    jwt.decode(token, signing_key.key, algorithms=["RS256", "HS256"])

## Why it hurts
The token says which of them it uses. With `HS256` the public key, which everybody has, is taken for the secret. PyJWT
refuses that since 2.4, but not as an invalid token: it raises `TypeError`, or `InvalidKeyError` with a key in PEM form.
Neither is an `InvalidTokenError`, so that the answer is 500 and not 401. Older versions, and python-jose before 3.4,
let the forged token in.

## How it is told from its look-alikes
Both kinds must stand in one list, written at the call or as a constant of the module. Two calls, one for each kind,
each with its own key, are fine. A 500 for every token has another cause: keys that come as HTML (AUT005).

## How to fix
Name the one algorithm with which your provider signs: `algorithms=["RS256"]`.

## False positives
Code that has looked at the algorithm before and has chosen the key by it.
"""

from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Resource, Severity, Source, check
from doctor.source.collectors.jwt_algorithms import COLLECTOR, MixedAlgorithms

_AT_THE_CALL = """\
import jwt


def verify(token: str, keys: jwt.PyJWKClient) -> dict:
    key = keys.get_signing_key_from_jwt(token).key
    return jwt.decode(token, key, algorithms=["RS256", "HS256"])
"""
_CONSTANT = """\
from jose import jwt

ALGORITHMS = ("HS512", "ES256")


def verify(token: str, key: str) -> dict:
    return jwt.decode(token, key, ALGORITHMS)
"""
_ONE_KIND = """\
import jwt

ALGORITHMS = ["RS256", "PS256"]


def verify(token: str, key: str) -> dict:
    return jwt.decode(token, key, algorithms=ALGORITHMS)


def verify_own(token: str, secret: str) -> dict:
    return jwt.decode(token, secret, algorithms=["HS256", "HS512"])


def verify_any(token: str, key: str, allowed: list[str]) -> dict:
    return jwt.decode(token, key, algorithms=allowed)
"""


@check(
    "AUT013",
    "jwt-algorithms-mixed",
    severity=Severity.WARNING,
    tags=["static"],
    timeout=20.0,
    bad=[
        Example("both kinds at the call", {"app/auth.py": _AT_THE_CALL}),
        Example("both kinds in a constant", {"app/auth.py": _CONSTANT}),
    ],
    good=[Example("one kind in each call", {"app/auth.py": _ONE_KIND})],
)
def jwt_algorithms_mixed(source: Source) -> Iterator[Finding]:
    """Take over what the collector found."""
    for fact in source.collected(COLLECTOR):
        yield _finding(fact)


def _finding(fact: MixedAlgorithms) -> Finding:
    return Finding(
        code="AUT013",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, fact.line),
        symptom=f"`{fact.function or fact.path}` takes {', '.join(fact.algorithms)} with one key",
        cause="the algorithms of a shared secret and of a public key stand in one list",
        severity=Severity.WARNING,
        impacts=("a token with HS256 is answered with 500, or, with old libraries, lets its forger in",),
        evidence=(Evidence(EvidenceKind.CODE, f"{fact.path}:{fact.line}", fact.text),),
        rule="a public key is no secret: whoever has it could sign with HS256 (RFC 8725, 3.1)",
        fixes=(FixOption.by_hand(f"name one kind in {fact.path}:{fact.line}", "only you know how the provider signs"),),
        validation="doctor check --select AUT013",
    )
