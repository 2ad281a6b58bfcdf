"""The settings of authentication are of different instances, so tokens of one meet the keys of another.

## What it finds
A test key beside a live key, publishable keys of different instances, an issuer or an address of the keys on another
host than the publishable key names, and development keys where a variable says production.

## Why it hurts
Every token is refused: it is signed by one instance and looked up in the keys of another. The log speaks of the tokens.

## How it is told from its look-alikes
Modes and hosts are decoded from the keys and compared. Where the address of the keys is on another host than the
publishable key, both are asked: when they publish the same key, it is a proxy and no contradiction. Keys that are of
one instance and cannot be fetched are AUT005; a host that is an undecoded publishable key is AUT012.

## How to fix
Take all settings from one instance: both keys from the same page of the dashboard, the issuer and the address of the
keys from the decoded publishable key.

## False positives
A migration during which two instances are served on purpose; a stage that is called production and is none.
"""

from collections.abc import AsyncIterator, Iterator

from doctor.api import (
    KEYS_PATH,
    Auth,
    AuthSettings,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    KeysUnreachable,
    KeysUnusable,
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
    "AUT007",
    "auth-settings-contradict",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[
        Mechanism("AUT007", "AUT008", "the settings are of different instances", ("variable",)),
        Mechanism("AUT007", "AUT009", "the issuer is taken from another instance", ("variable",)),
        Mechanism("AUT007", "AUT011", "the token is of one instance and the keys are of another", ("claim",)),
    ],
)
async def auth_settings_contradict(auth: Auth) -> AsyncIterator[Finding | Observation]:
    """Compare each setting with the first publishable key, and the key with the environment."""
    settings = auth.settings
    found = [*_modes(settings), *_stage(settings), *_instances(settings)]
    found += [finding async for finding in _key_hosts(auth)]
    for finding in found:
        yield finding
    compared = (settings.secret, settings.issuer_variable, settings.keys_variable)
    if not found and settings.instance is not None and any(compared):
        yield Observation(f"all settings are of {settings.instance.host}", rules_out="settings of different instances")


def _modes(settings: AuthSettings) -> Iterator[Finding]:
    """Yield a live key beside a test key, and a live key of a development host."""
    first, secret = settings.instance, settings.secret
    if first is not None and first.mode == "live" and first.is_development:
        yield _finding(
            first.variable, "mode", f"{first.variable.name} is a live key of the development host {first.host}"
        )
    if first is not None and secret is not None and secret.mode and secret.mode != first.mode:
        what = f"{first.variable.name} is a {first.mode} key and {secret.variable.name} is a {secret.mode} key"
        yield _finding(secret.variable, "mode", what)


def _stage(settings: AuthSettings) -> Iterator[Finding]:
    """Yield development keys where a variable says production."""
    stage = settings.stage
    if stage is None or not settings.is_production:
        return
    if settings.instance is not None and settings.instance.is_development:
        variable = settings.instance.variable
    elif settings.secret is not None and settings.secret.mode == "test":
        variable = settings.secret.variable
    else:
        return
    what = f"{stage.name} says production, and {variable.name} is a key of a development instance"
    yield _finding(variable, "stage", what, severity=Severity.WARNING)


def _instances(settings: AuthSettings) -> Iterator[Finding]:
    """Yield publishable keys, and an issuer, of another instance than the first publishable key's."""
    first = settings.instance
    if first is None:
        return
    for key in settings.publishable:
        if key.host and key.host != first.host:
            what = f"{key.variable.name} is of {key.host} and {first.variable.name} of {first.host}"
            yield _finding(key.variable, "instance", what)
    issuer = settings.issuer_variable
    host = host_of(settings.issuer_address)
    if issuer is not None and not _same(host, first.host) and not settings.undecoded(issuer):
        what = f"{issuer.name} names {host} and {first.variable.name} is of {first.host}"
        yield _finding(issuer, "instance", what)


async def _key_hosts(auth: Auth) -> AsyncIterator[Finding]:
    """Yield an address of the keys on another host than the publishable key's, unless both publish the same key."""
    settings = auth.settings
    variable, first = settings.keys_variable, settings.instance
    host = host_of(settings.keys_url)
    if variable is None or first is None or settings.undecoded(variable):
        return
    if _same(host, first.host) or settings.keys_url == settings.backend_keys_url:
        return
    try:
        own, served = await auth.keys_at(address_of_host(first.host) + KEYS_PATH), await auth.keys()
        if own.shares_a_key_with(served):
            return
        measured = f"there {served.shown}, at {first.host} {own.shown}"
    except (KeysUnreachable, KeysUnusable) as error:
        measured = f"not compared: {error}"
    what = f"{variable.name} leads to {host} and {first.variable.name} is of {first.host}"
    yield _finding(variable, "instance", what, measured=measured)


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _finding(
    variable: Variable, subject: str, what: str, severity: Severity = Severity.ERROR, measured: str = ""
) -> Finding:
    http = (Evidence(EvidenceKind.HTTP, "GET of both addresses", measured),) if measured else ()
    return Finding(
        code="AUT007",
        resource=variable.resource,
        symptom=what,
        cause=what,
        severity=severity,
        subject=subject,
        impacts=("every token is refused",) if severity is Severity.ERROR else (),
        evidence=(Evidence(EvidenceKind.CONFIG, variable.origin, what), *http),
        related=tuple(Resource("claim", name) for name in ("kid", "signature", "iss") if severity is Severity.ERROR),
        rule="clerk: a token is signed with the key of its own instance, and its issuer is that instance's host",
        fixes=(
            FixOption.by_hand("take all settings from one instance", "which instance is meant is known to you only"),
        ),
        validation="doctor check --select AUT",
    )
