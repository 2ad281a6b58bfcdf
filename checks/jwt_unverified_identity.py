"""A token's claims are taken for an identity although nobody has checked its signature.

## What it finds
A token that comes in with a request and is read without its signature, and whose claims then say who the caller is:

    try:
        claims = jwt.decode(token, key, algorithms=["RS256"])
    except Exception:
        claims = jwt.decode(token, options={"verify_signature": False})
    return {"id": claims["sub"]}

An error if a claim such as `sub`, `email` or `roles` is returned or assigned to an attribute, if a function that
promises a user returns all claims, or if the reading stands in the `except` of a verification and is used afterwards.

## Why it hurts
Anybody can write such a token. In the `except` of a verification it is worse: exactly the tokens that were found bad
are believed, and the log speaks of a fallback.

## How it is told from its look-alikes
The claims are followed through names, branches and the functions of the same module. Reading `iss` or `kid` to choose a
key, a comparison, a log line, and an `except` that raises again are fine. So is whatever is verified before it is
used, and `except ExpiredSignatureError`, which is raised after the signature was found good. A client that reads its
own token (from `self`, from the answer of a token endpoint, from a file) needs no signature. A function whose name or
docstring says that its result is no proof ("never used to make an authorization decision", "for logging only") has told
its callers, unless a framework calls it. Tests are not looked at.

## How to fix
Return what the verifying `jwt.decode` returns, and nothing else; answer 401 when it raises. For development, issue
tokens with a key of your own instead of switching the check off.

## False positives
A gateway in front that has verified the token already; an identity that is only counted or logged elsewhere.
"""

from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Resource, Severity, Source, check
from doctor.source.collectors.tokens import COLLECTOR, UnverifiedIdentity

_FALLBACK = """\
import jwt


def current_user(token: str, key: str) -> dict | None:
    try:
        claims = jwt.decode(token, key, algorithms=["RS256"])
    except Exception:
        claims = jwt.decode(token, options={"verify_signature": False})
    return {"id": claims["sub"]}
"""
_HELPER = """\
from jose import jwt as tokens

NOT_CHECKED = {"verify_signature": False}


class Guard:
    def read(self, token):
        return tokens.decode(token, "", options=NOT_CHECKED)

    def user_of(self, request):
        header = request.headers.get("Authorization", "")
        claims = self.read(header.removeprefix("Bearer "))
        request.state.user = claims.get("email")
"""
_DEPENDENCY = """\
import base64
import json

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

bearer = OAuth2PasswordBearer(tokenUrl="jwt")


def claims_of(token: str = Depends(bearer)) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))
"""
_ISSUER_COMPARED = """\
import jwt

ISSUERS = {"https://login.example.com": "key"}


def current_user(token: str) -> str:
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    if issuer not in ISSUERS:
        raise PermissionError(issuer)
    claims = jwt.decode(token, ISSUERS[issuer], algorithms=["RS256"], issuer=issuer)
    return claims["sub"]
"""
_READ_THEN_VERIFIED = """\
import jwt


def current_user(token: str, keys: dict) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    jwt.decode(token, keys[claims["org"]], algorithms=["RS256"])
    return claims["sub"]
"""
_ONLY_LOGGED = """\
import logging

import jwt


def current_user(token: str, key: str) -> str:
    try:
        return jwt.decode(token, key, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError:
        claims = jwt.decode(token, options={"verify_signature": False})
        logging.warning("rejected a token of %s", claims.get("sub"))
        raise


def subject_of_expired(token: str, key: str) -> str:
    try:
        return jwt.decode(token, key, algorithms=["HS256"])["sub"]
    except jwt.ExpiredSignatureError:
        return jwt.decode(token, options={"verify_signature": False})["sub"]
"""
_CLIENT = """\
import jwt


class Client:
    def __init__(self, http):
        self.http = http

    def user_id(self) -> str:
        return jwt.decode(self.http.token, options={"verify_signature": False})["sub"]

    def log_in(self, code: str) -> dict:
        answer = self.http.post("/token", {"code": code})
        return jwt.decode(answer["id_token"], options={"verify_signature": False})


def expires_soon(token: str, now: float) -> bool:
    return jwt.decode(token, options={"verify_signature": False})["exp"] < now + 60
"""
_DISCLAIMED = """\
import jwt


def namespace_of(token: str) -> str | None:
    \"\"\"Read the namespace of the pod's own token.

    The value is never used to make an authorization decision; it only makes failures easier to understand.
    \"\"\"
    claims = jwt.decode(token, options={"verify_signature": False})
    return claims["sub"].split(":")[2]


def subject_for_logs(token: str) -> str:
    \"\"\"Return the subject. It should NOT be used for authentication.\"\"\"
    return jwt.decode(token, options={"verify_signature": False})["sub"]
"""


@check(
    "AUT001",
    "jwt-unverified-identity",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    bad=[
        Example("the fallback of a verification that failed", {"app/auth.py": _FALLBACK}),
        Example("a helper reads, a method assigns", {"app/guard.py": _HELPER}),
        Example("a dependency decodes by hand", {"app/dependencies.py": _DEPENDENCY}),
    ],
    good=[
        Example("the issuer is compared with a list before verifying", {"app/auth.py": _ISSUER_COMPARED}),
        Example("what was read is verified before it is used", {"app/auth.py": _READ_THEN_VERIFIED}),
        Example("a rejected token is logged, and one that is merely too old", {"app/auth.py": _ONLY_LOGGED}),
        Example("a client reads its own token", {"app/client.py": _CLIENT}),
        Example("the docstring says that it is no proof", {"app/logs.py": _DISCLAIMED}),
        Example("the fallback stands in a test", {"tests/test_auth.py": _FALLBACK}),
    ],
)
def jwt_unverified_identity(source: Source) -> Iterator[Finding]:
    """Take over what the collector found, one finding a reading."""
    for fact in source.collected(COLLECTOR):
        if isinstance(fact, UnverifiedIdentity):
            yield _finding(fact)


def _finding(fact: UnverifiedIdentity) -> Finding:
    claim = f"`{fact.claim}`" if fact.claim else "all claims"
    how = "returned" if fact.returned else "assigned"
    where = " where the verification has failed" if fact.fallback else ""
    taken = Evidence(EvidenceKind.CODE, f"{fact.path}:{fact.taken_line}", fact.taken_text)
    return Finding(
        code="AUT001",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, fact.line),
        symptom=f"`{fact.function}` believes a token whose signature was not checked",
        cause=f"{claim} of an unverified token {'is' if fact.claim else 'are'} {how} as identity{where}",
        severity=Severity.ERROR,
        subject=f"{'fallback ' if fact.fallback else ''}{fact.claim} {fact.text}",
        impacts=("anybody can write a token that makes them any user",),
        evidence=(
            Evidence(EvidenceKind.CODE, f"{fact.path}:{fact.line}", fact.text),
            *((taken,) if fact.taken_line != fact.line else ()),
        ),
        rule="jwt: claims that are read without the signature are whatever the sender wrote",
        fixes=(
            FixOption.by_hand(
                f"return only what a verifying decode returns in {fact.path}:{fact.taken_line}",
                "which key and which issuer are right is known to you alone",
            ),
        ),
        validation="doctor check --select AUT001; then a forged token is answered with 401",
    )
