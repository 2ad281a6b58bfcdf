"""A key that the application holds is not among the keys with which the configured instance signs.

## What it finds
A static public key (`CLERK_JWT_KEY`) that is none of the published ones, or no public key at all. A secret key to which
Clerk's API shows other keys than the public address does, or which it refuses.

## Why it hurts
With a static key of another instance every signature is wrong, although the issuer, the name of the key and the time
are right: it looks like forgery. A secret key of another instance reads and changes the users of that one.

## How it is told from its look-alikes
The published keys are fetched and compared number by number with the static key, and name by name with what the API
shows to the secret key. A wrong signature with a static key that *is* published is a forged or damaged token (AUT011).
That the keys cannot be fetched is AUT005. The secret key goes to the API that Clerk's own libraries use, or to the one
in `CLERK_API_URL`, and only over TLS.

## How to fix
Copy the key again from the instance that the publishable key names, or leave the static key out: the published one is
then fetched.

## False positives
A static key that was rotated away, and is kept for tokens that live long.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Auth,
    CouldNotTellError,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    KeyFault,
    KeySet,
    KeysUnreachable,
    KeysUnusable,
    Mechanism,
    Observation,
    PublicKeyText,
    Resource,
    Severity,
    Variable,
    check,
)


@check(
    "AUT008",
    "signing-key-of-another-instance",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[
        Mechanism("AUT008", "AUT011", "the application checks with another key than the one that signed", ("claim",)),
    ],
)
async def signing_key_of_another_instance(auth: Auth) -> AsyncIterator[Finding | Observation]:
    """Compare the static key and the secret key's keys with the published ones."""
    settings = auth.settings
    secret = settings.secret if settings.secret and not settings.secret.problem and settings.keys_url else None
    if settings.public_key is not None:
        text = PublicKeyText.read(settings.public_key.value)
        if text.problem:
            yield _finding(settings.public_key, f"is no public key: {text.problem}", text.problem)
        elif auth.has_keys_address:
            yield _compared(settings.public_key, text, await auth.keys())
    if secret is not None and auth.settings.keys_url != settings.backend_keys_url:
        yield await _secret_compared(auth, secret.variable)


def _compared(variable: Variable, text: PublicKeyText, published: KeySet) -> Finding | Observation:
    if any(key.is_in(text) for key in published.keys):
        return Observation(f"{variable.name} is published", rules_out="static key of another instance")
    measured = f"published: {published.shown}; none of them is the key in {variable.name}"
    return _finding(variable, "is none of the keys with which the instance signs", measured)


async def _secret_compared(auth: Auth, variable: Variable) -> Finding | Observation:
    published = await auth.keys()
    try:
        shown = await auth.keys_of_the_secret_key()
    except KeysUnusable as error:
        if error.fault is KeyFault.DENIED:
            return _finding(
                variable, "is refused by Clerk's API: revoked, or of an instance that is gone", error.detail
            )
        raise CouldNotTellError(f"whose secret key it is: {error}") from error
    except KeysUnreachable as error:
        raise CouldNotTellError(f"whose secret key it is: {error}") from error
    if shown.shares_a_key_with(published):
        return Observation(f"{variable.name} opens the same instance", rules_out="secret key of another instance")
    same_name = any(published.find(key.kid) for key in shown.keys)
    what = "a key of the same name and another number" if same_name else shown.shown
    measured = f"published: {published.shown}; to the secret key the API shows {what}"
    claims = ("kid", "published signature")
    return _finding(variable, "is of another instance than the address of the signing keys", measured, claims)


def _finding(variable: Variable, what: str, measured: str, claims: tuple[str, ...] = ("signature", "kid")) -> Finding:
    return Finding(
        code="AUT008",
        resource=variable.resource,
        symptom=f"{variable.name} {what}",
        cause=f"{variable.origin} holds a key that does not belong to the other settings",
        severity=Severity.ERROR,
        impacts=("every token that this key is to check is refused",),
        evidence=(Evidence(EvidenceKind.HTTP, "the published keys", measured),),
        related=tuple(Resource("claim", name) for name in claims),
        rule="a signature is good under the key that made it, and under no other",
        fixes=(
            FixOption.by_hand(
                f"copy {variable.name} again from the instance of the publishable key", "it is in the dashboard only"
            ),
        ),
        validation="doctor check --select AUT008",
    )
