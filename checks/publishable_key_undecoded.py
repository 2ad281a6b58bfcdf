"""The host is cut out of a publishable key that is base64, so it is the name of no machine.

## What it finds
A key of the form `pk_test_…` or `pk_live_…` whose prefix is taken off, and whose rest is split at dots or put into an
address, with no base64 decoded in the function:

    instance = publishable_key.replace("pk_test_", "").split(".")[0]
    jwks_url = f"https://{instance}.clerk.accounts.dev/.well-known/jwks.json"

## Why it hurts
What follows the prefix is base64 of `host$`; it has no dots. The address of the signing keys that is made of it does
not exist, no key is ever found, and every token fails its verification. The log speaks of the tokens.

## How it is told from its look-alikes
The prefix must be taken off, and the rest must be split at dots or stand where an address has its host. A function that
decodes base64, or calls one of the same module that does, is fine. Payment keys have the same prefix, but nobody takes
them apart; a prefix such as `pk_` of a column is not one of these.

## How to fix
Decode it: `base64.b64decode(rest + "==").decode().rstrip("$")` is the host. Then the address of the keys is
`https://<host>/.well-known/jwks.json`.

## False positives
A service of another kind whose keys have this prefix and do hold a readable host.
"""

from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Mechanism, Resource, Severity, Source, check
from doctor.source.collectors.publishable_keys import COLLECTOR, UndecodedKey

_SPLIT = """\
import os


class Guard:
    def __init__(self):
        self.publishable_key = os.getenv("CLERK_PUBLISHABLE_KEY", "")
        parts = self.publishable_key.replace("pk_test_", "").replace("pk_live_", "").split(".")
        self.jwks_url = f"https://{parts[0]}.clerk.accounts.dev/.well-known/jwks.json"
"""
_HOST = """\
def jwks_url(publishable_key: str) -> str:
    for prefix in ("pk_test_", "pk_live_"):
        if publishable_key.startswith(prefix):
            rest = publishable_key[len(prefix) :]
            return f"https://{rest}.clerk.accounts.dev/.well-known/jwks.json"
    raise ValueError("not a publishable key")
"""
_DECODED = """\
import base64


def host_of(publishable_key: str) -> str:
    rest = publishable_key.removeprefix("pk_test_").removeprefix("pk_live_")
    return base64.b64decode(rest + "==").decode().rstrip("$")


def instance_of(publishable_key: str) -> str:
    rest = publishable_key.removeprefix("pk_test_")
    return host_of(rest).split(".")[0]
"""
_NOT_TAKEN_APART = """\
def masked(key: str) -> str:
    return "pk_live_" + "*" * len(key.removeprefix("pk_live_"))


def mode(key: str) -> str:
    if key.startswith("pk_test_") or key.startswith("pk_live_"):
        return key.split("_")[1]
    return f"https://pay.example.com/{key}".split(".")[0]


def column(name: str) -> list[str]:
    return name.removeprefix("pk_").split(".")
"""


@check(
    "AUT003",
    "publishable-key-undecoded",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    mechanisms=[
        Mechanism("AUT003", "AUT014", "the keys are looked for at a host that does not exist", ("service",)),
    ],
    bad=[
        Example("the rest of the key is split at dots", {"app/auth.py": _SPLIT}),
        Example("the rest of the key becomes a host", {"app/auth.py": _HOST}),
    ],
    good=[
        Example("the rest is decoded, here or in a function that is called", {"app/auth.py": _DECODED}),
        Example("a masked key, the mode of a key, and a prefix of columns", {"app/keys.py": _NOT_TAKEN_APART}),
    ],
)
def publishable_key_undecoded(source: Source) -> Iterator[Finding]:
    """Take over what the collector found, one finding a function."""
    for fact in source.collected(COLLECTOR):
        yield _finding(fact)


def _finding(fact: UndecodedKey) -> Finding:
    use = "split at dots" if fact.splits else "put into an address"
    return Finding(
        code="AUT003",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, fact.line),
        symptom=f"`{fact.function}` makes a host of a publishable key that does not exist",
        cause=f"what follows the prefix is base64 and is {use} without being decoded",
        severity=Severity.ERROR,
        related=(Resource("service", "auth"),),
        impacts=("no signing key is found, so every token fails its verification",),
        evidence=(Evidence(EvidenceKind.CODE, f"{fact.path}:{fact.line}", fact.text),),
        rule="clerk: a publishable key is pk_test_ or pk_live_ and base64 of the host and a dollar sign",
        fixes=(
            FixOption.by_hand(
                f"decode the rest of the key in {fact.path}:{fact.line}",
                "what is made of the host further on is not known",
            ),
        ),
        validation="doctor check --select AUT003; then the address of the keys answers with a list of keys",
    )
