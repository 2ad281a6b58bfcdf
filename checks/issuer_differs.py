"""The configured issuer is not, to the letter, the one that the provider calls itself, so every token is refused.

## What it finds
An issuer (`CLERK_ISSUER`, `OIDC_ISSUER` and the like, else the host of the publishable key) that differs from the
`issuer` in the metadata of that very address: a slash at the end, `http` for `https`, another host, a path.

## Why it hurts
`iss` is compared as a text. One slash too many, and every token fails with `InvalidIssuerError`, though its signature
is right and the keys are the right ones.

## How it is told from its look-alikes
The provider's own metadata are asked (`/.well-known/openid-configuration`, with Clerk
`/.well-known/oauth-authorization-server`) and compared character by character. Where Clerk publishes none, its rule
counts: the bare address of the host. A provider that cannot be asked is no finding here.

## How to fix
Write the issuer as the provider writes it. Clerk's has no slash at the end, Auth0's has one.

## False positives
A custom domain under which the provider issues tokens with its own name on purpose.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Auth,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    Variable,
    address_of_host,
    check,
    host_of,
    printable,
)


@check(
    "AUT009",
    "issuer-differs",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[Mechanism("AUT009", "AUT011", "the issuer of the token is compared with the wrong text", ("claim",))],
)
async def issuer_differs(auth: Auth) -> AsyncIterator[Finding | Observation]:
    """Ask the issuer what it is called."""
    configured, source = auth.settings.issuer, auth.settings.issuer_source
    if not configured or source is None:
        raise NotApplicableError("no issuer is configured")
    metadata = await auth.metadata()
    if metadata is None or not metadata.issuer:
        bare = address_of_host(host_of(auth.settings.issuer_address))
        if not auth.settings.is_clerk or configured == bare:
            raise NotApplicableError("the issuer publishes no metadata with which it could be compared")
        yield _finding(
            source, configured, address_of_host(host_of(configured)), "clerk: the bare host, without a slash"
        )
        return
    actual = printable(metadata.issuer)[:200]
    if metadata.issuer == configured:
        yield Observation(f"issuer {actual}", rules_out="misspelt issuer")
        return
    yield _finding(source, configured, actual, f"GET {metadata.document.url}: issuer {actual}")


def _finding(source: Variable, configured: str, actual: str, measured: str) -> Finding:
    return Finding(
        code="AUT009",
        resource=source.resource,
        symptom=f"{source.name} gives the issuer {configured}, and the provider calls itself {actual}: "
        f"{difference(configured, actual)}",
        cause=f"the issuer in {source.origin} is not written as the provider writes it",
        severity=Severity.ERROR,
        impacts=("every token fails with InvalidIssuerError, although its signature is right",),
        evidence=(Evidence(EvidenceKind.HTTP, "the issuer's own name", measured),),
        related=(Resource("claim", "iss"),),
        rule="`iss` is compared as a text (RFC 7519, 4.1.1)",
        fixes=(FixOption.by_hand(f"write {actual}", f"the value comes from {source.origin}"),),
        validation="doctor check --select AUT009",
    )


def difference(configured: str, actual: str) -> str:
    """Say in which part two issuers differ."""
    if configured.rstrip("/") == actual.rstrip("/"):
        return "a slash at the end is too many" if configured.endswith("/") else "a slash at the end is missing"
    if "://" not in configured:
        return "https:// in front is missing"
    ours, theirs = host_of(configured), host_of(actual)
    our_scheme, their_scheme = configured.partition(":")[0], actual.partition(":")[0]
    if ours == theirs and our_scheme != their_scheme:
        return f"{our_scheme} for {their_scheme}"
    if ours.lower() == theirs.lower():
        return "another path" if ours == theirs else "capitals for small letters"
    return "another host"
