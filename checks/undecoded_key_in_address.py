"""The host of the issuer or of the signing keys is a publishable key that nobody decoded, and no machine.

## What it finds
A setting such as `CLERK_JWKS_URL` or `CLERK_ISSUER` whose host begins with what follows the prefix of a publishable
key: `https://Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk.clerk.accounts.dev`.

## Why it hurts
The host does not exist, so no signing key is ever found; the issuer is that of no token. Every token is refused, and
the log speaks of the tokens.

## How it is told from its look-alikes
The first part of the host is decoded: base64 of a host and a dollar sign is no accident. Where capitals were lost on
the way, it is compared with the publishable keys that are set. A host that merely does not resolve is AUT005. Code
that makes such an address is AUT003.

## How to fix
Use the decoded host; the finding names it.

## False positives
A host whose first part is base64 of another host, on purpose. None is known.
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
    address_of_host,
    check,
    host_of,
)


@check(
    "AUT012",
    "undecoded-key-in-address",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[
        Mechanism("AUT012", "AUT005", "the host is a publishable key that nobody decoded, so it is no host", ("host",)),
        Mechanism("AUT012", "AUT011", "the issuer, or the address of the keys, is that of no instance", ("claim",)),
    ],
)
def undecoded_key_in_address(auth: Auth) -> Iterator[Finding | Observation]:
    """Decode the first part of each host."""
    variables = [each for each in (auth.settings.issuer_variable, auth.settings.keys_variable) if each is not None]
    meant = {variable.name: auth.settings.undecoded(variable) for variable in variables}
    for variable in variables:
        if host := meant[variable.name]:
            yield _finding(variable, host)
    if variables and not any(meant.values()):
        yield Observation("addresses are hosts", rules_out="publishable key used undecoded")


def _finding(variable: Variable, host: str) -> Finding:
    what = f"the host in {variable.name} is a publishable key that nobody decoded"
    return Finding(
        code="AUT012",
        resource=variable.resource,
        symptom=f"{what}; decoded it is {host}",
        cause=what,
        severity=Severity.ERROR,
        impacts=("no signing key is found, or no issuer fits: every token is refused",),
        evidence=(Evidence(EvidenceKind.CONFIG, variable.origin, f"{variable.name} decodes to {host}"),),
        related=(
            Resource("host", host_of(variable.value.strip())),
            *(Resource("claim", name) for name in ("iss", "kid", "signature")),
        ),
        rule="clerk: a publishable key is pk_test_ or pk_live_ and base64 of the host and a dollar sign",
        fixes=(FixOption.by_hand(f"use {address_of_host(host)}", f"the value comes from {variable.origin}"),),
        validation="doctor check --select AUT012,AUT005",
    )
