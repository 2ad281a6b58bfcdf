"""A token chooses the address from which the keys for its own verification are fetched.

## What it finds
The issuer, or a field of the header such as `jku`, is read from a token without its signature and becomes part of the
address of the signing keys, by an f-string, `+`, `%`, `format` or `urljoin`, or as it is:

    claims = jwt.decode(token, options={"verify_signature": False})
    keys = PyJWKClient(f"{claims['iss']}/.well-known/jwks.json")
    return jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["RS256"])

## Why it hurts
Authentication is bypassed: whoever forges a token names a server of their own as issuer, that server hands out a key
that fits, and the verification succeeds. The server can also be made to ask addresses inside its own network.

## How it is told from its look-alikes
The value is followed through names, branches and the functions of the same module. It counts as checked where it was
compared with a value of the program's own (`==`, `in`), was given to a function that may raise, or passed a test; a
test for truth, for `https://` or for a type is none. Looking the issuer up in a dictionary is fine, and so is an
address made of settings.

## How to fix
Take the issuer from the configuration. With several issuers, keep a dictionary of issuer → address of keys and refuse
a token whose issuer is not in it. Pass `issuer=` to the verifying decode.

## False positives
A check of the issuer in another module, whose result is not used here.
"""

from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Resource, Severity, Source, check
from doctor.source.collectors.tokens import COLLECTOR, ChosenKeyAddress

_ISSUER = """\
import jwt
from jwt import PyJWKClient

clients = {}


def verify(token: str) -> dict:
    issuer = jwt.decode(token, options={"verify_signature": False}).get("iss", "")
    if not issuer.startswith("https://"):
        raise PermissionError(issuer)
    url = f"{issuer}/.well-known/jwks.json"
    if url not in clients:
        clients[url] = PyJWKClient(url)
    key = clients[url].get_signing_key_from_jwt(token)
    return jwt.decode(token, key.key, algorithms=["RS256"])
"""
_HEADER = """\
import requests
from jose import jwt


def verify(token: str) -> dict:
    header = jwt.get_unverified_header(token)
    keys = requests.get(header["jku"], timeout=5).json()
    return jwt.decode(token, keys, algorithms=["RS256"])
"""
_HELPER = """\
import base64
import json

import httpx
from jose import jwt


class Keys:
    async def of(self, issuer):
        async with httpx.AsyncClient() as client:
            answer = await client.get(issuer + "/.well-known/jwks.json")
            return answer.json()

    async def verify(self, token):
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        return jwt.decode(token, await self.of(claims["iss"]), algorithms=["RS256"])
"""
_LISTED = """\
import jwt
from jwt import PyJWKClient

ISSUERS = ("https://login.example.com", "https://login.example.org")
ADDRESSES = {issuer: f"{issuer}/.well-known/jwks.json" for issuer in ISSUERS}


def verify(token: str) -> dict:
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    if issuer not in ISSUERS:
        raise PermissionError(issuer)
    keys = PyJWKClient(f"{issuer}/.well-known/jwks.json")
    return jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["RS256"])


def verify_by_address(token: str) -> dict:
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    keys = PyJWKClient(ADDRESSES[issuer])
    return jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["RS256"])


def verify_if_known(token: str, settings) -> dict | None:
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    if issuer == settings.issuer:
        keys = PyJWKClient(f"{issuer}/.well-known/jwks.json")
        return jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["RS256"])
    return None
"""
_KEY_BY_KID = """\
import jwt
import requests


def verify(token: str, domain: str, cache: dict) -> dict:
    kid = jwt.get_unverified_header(token)["kid"]
    if f"jwks/{kid}" not in cache:
        keys = requests.get(f"https://{domain}/.well-known/jwks.json", timeout=5).json()
        cache.update({f"jwks/{key['kid']}": key for key in keys["keys"]})
    return jwt.decode(token, cache.get(f"jwks/{kid}"), algorithms=["RS256"])
"""
_VERIFIED = """\
import jwt
import requests


def profile(token: str, key: str) -> dict:
    claims = jwt.decode(token, key, algorithms=["RS256"])
    return requests.get(f"{claims['iss']}/.well-known/openid-configuration", timeout=5).json()
"""


@check(
    "AUT002",
    "jwks-url-from-token",
    severity=Severity.CRITICAL,
    tags=["static"],
    timeout=20.0,
    bad=[
        Example("the issuer of the token, with a check of the scheme only", {"app/auth.py": _ISSUER}),
        Example("the address that the header names", {"app/auth.py": _HEADER}),
        Example("a helper makes the address", {"app/keys.py": _HELPER}),
    ],
    good=[
        Example("the issuer is one of a list, or of a dictionary", {"app/auth.py": _LISTED}),
        Example("the key's id chooses among keys of a fixed address", {"app/auth.py": _KEY_BY_KID}),
        Example("the token was verified before", {"app/profile.py": _VERIFIED}),
    ],
)
def jwks_url_from_token(source: Source) -> Iterator[Finding]:
    """Take over what the collector found, one finding an address."""
    for fact in source.collected(COLLECTOR):
        if isinstance(fact, ChosenKeyAddress):
            yield _finding(fact)


def _finding(fact: ChosenKeyAddress) -> Finding:
    field = f"`{fact.field}`" if fact.field else "a value"
    return Finding(
        code="AUT002",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, fact.line),
        symptom=f"`{fact.function}` fetches signing keys from where the token says",
        cause=f"{field} of an unverified token becomes part of the address of the keys",
        severity=Severity.CRITICAL,
        subject=fact.field,
        impacts=("whoever runs a server can sign a token as any user",),
        evidence=(
            Evidence(EvidenceKind.CODE, f"{fact.path}:{fact.read_line}", fact.read_text),
            Evidence(EvidenceKind.CODE, f"{fact.path}:{fact.line}", fact.text),
        ),
        rule="jwt: a signature proves only that its key was used; the keys must come from an issuer you have chosen",
        fixes=(
            FixOption.by_hand(
                f"take the address of the keys from the configuration in {fact.path}:{fact.line}",
                "which issuers are trusted is known to you alone",
            ),
        ),
        validation="doctor check --select AUT002; then a token of a foreign issuer is answered with 401",
    )
