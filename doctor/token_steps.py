"""Every check of a verifier, played through on one token: what passes, what fails, what could not be checked.

The order and the rules are PyJWT's (``decode`` 2.15), with Clerk's allow-list of ``azp`` beside them. A verifier stops
at the first failure; here all are played through: the failures together tell the causes apart. Times have the leeway of
Clerk's libraries, which is also that within which AUT010 holds two clocks for equal; PyJWT's own default is 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from doctor.redaction import bounded, redact
from doctor.resources.auth import TOLERANCE
from doctor.resources.auth_settings import AuthSettings
from doctor.resources.json_web_token import Token
from doctor.resources.key_set import KeySet, PublicKeyText, SigningKey
from doctor.resources.signatures import ASYMMETRIC, CannotVerifyError, is_signed_by


class StepOutcome(StrEnum):
    """How one check of the verifier ends."""

    PASSED = "passed"
    FAILED = "failed"
    UNCHECKED = "not checked"


class Part(StrEnum):
    """What a verifier checks, in its order."""

    ALGORITHM = "alg"
    KEY = "kid"
    SIGNATURE = "signature"
    STATIC_KEY = "static key"
    NOT_BEFORE = "nbf"
    ISSUED_AT = "iat"
    EXPIRY = "exp"
    ISSUER = "iss"
    AUDIENCE = "aud"
    PARTY = "azp"
    SUBJECT = "sub"
    STATUS = "sts"


RULES_OUT = {
    Part.ALGORITHM: "token with an algorithm that no public key checks",
    Part.KEY: "unknown signing key",
    Part.SIGNATURE: "forged or damaged token",
    Part.NOT_BEFORE: "token from the future",
    Part.EXPIRY: "expired token",
    Part.ISSUER: "token of another issuer",
    Part.AUDIENCE: "token for another audience",
    Part.PARTY: "token of an origin that is not allowed",
}
"""The hypothesis that each check refutes by passing."""

_LEEWAY = f"within the leeway of {TOLERANCE:g} s (PyJWT's default is 0)"


@dataclass(frozen=True, slots=True)
class Step:
    """One check: what was compared, in words that hold no secret."""

    part: Part
    outcome: StepOutcome
    text: str


def play_through(token: Token, settings: AuthSettings, keys: KeySet | None, now: float) -> tuple[Step, ...]:
    """Return every check in a verifier's order. ``now`` is this machine's time in seconds of Unix.

    ``keys`` are the published ones; None: they cannot be had.
    """
    return (
        _algorithm(token, settings),
        *_signature(token, settings, keys),
        *_times(token, now),
        _issuer(token, settings),
        _audience(token, settings),
        _party(token, settings),
        _subject(token),
        *_status(token),
    )


def _step(part: Part, passed: bool, text: str) -> Step:
    return Step(part, StepOutcome.PASSED if passed else StepOutcome.FAILED, text)


def _algorithm(token: Token, settings: AuthSettings) -> Step:
    allowed = {"RS256"} if settings.is_clerk else ASYMMETRIC
    wanted = "RS256" if settings.is_clerk else "an algorithm of a public key"
    passed = token.algorithm in allowed
    return _step(Part.ALGORITHM, passed, f"alg {token.algorithm}" + ("" if passed else f", and only {wanted} is taken"))


def _signature(token: Token, settings: AuthSettings, keys: KeySet | None) -> Iterator[Step]:
    key = None
    if keys is None:
        if settings.public_key is None:
            yield Step(Part.KEY, StepOutcome.UNCHECKED, "kid not checked: there are no keys to look it up in")
    elif token.kid is None:
        yield _step(Part.KEY, False, "the token has no kid")
    else:
        key = keys.find(token.kid)
        shown = bounded(redact(token.kid), 60)
        yield _step(Part.KEY, key is not None, f"kid {shown}" + ("" if key else f", and published: {keys.shown}"))
    if key is not None:
        yield _signed(Part.SIGNATURE, token, key, f"with the published key {key.shown}")
    if settings.public_key is not None and not (static := PublicKeyText.read(settings.public_key.value)).problem:
        yield _signed(Part.STATIC_KEY, token, static.pem, f"with the key in {settings.public_key.name}")


def _signed(part: Part, token: Token, key: SigningKey | str, how: str) -> Step:
    try:
        passed = is_signed_by(token, key)
    except CannotVerifyError as error:
        return Step(part, StepOutcome.UNCHECKED, f"signature not checked {how}: {error}")
    return _step(part, passed, f"the signature is {'right' if passed else 'wrong'} {how}")


def _times(token: Token, now: float) -> Iterator[Step]:
    for part in (Part.NOT_BEFORE, Part.ISSUED_AT):
        if part.value in token.claims:
            moment = token.moment(part.value)
            early = None if moment is None else moment - now
            yield _step(part, early is not None and early <= TOLERANCE, _begun(part, early))
    end, begin = token.moment("exp"), token.moment("iat")
    if end is None:
        yield _step(Part.EXPIRY, False, "exp is no time" if "exp" in token.claims else "the token has no exp")
        return
    lived = "" if begin is None else f", it lives {end - begin:,.0f} s"
    left = end - now
    text = f"expires in {left:,.0f} s" if left > 0 else f"expired {-left:,.0f} s ago"
    passed = left > -TOLERANCE
    yield _step(Part.EXPIRY, passed, text + (f", {_LEEWAY}" if passed and left <= 0 else "") + lived)


def _begun(part: Part, early: float | None) -> str:
    """Say how far a time, from which on a token holds, is ahead."""
    if early is None:
        return f"{part} is no time"
    if early <= 0:
        return f"{part} has passed"
    return f"{part} is {early:,.0f} s ahead{f', {_LEEWAY}' if early <= TOLERANCE else ''}"


def _issuer(token: Token, settings: AuthSettings) -> Step:
    if not settings.issuer:
        return Step(Part.ISSUER, StepOutcome.UNCHECKED, "iss not checked: no issuer is configured")
    passed = token.claims.get("iss") == settings.issuer
    source = settings.issuer_source
    wanted = f", and {source.name if source else 'the setting'} says {settings.issuer}"
    return _step(Part.ISSUER, passed, f"iss {token.claim('iss')}" + ("" if passed else wanted))


def _audience(token: Token, settings: AuthSettings) -> Step:
    value = token.claims.get("aud")
    named = value if isinstance(value, list) else [value] if value else []
    wanted = settings.audience
    if not wanted:
        text = "no aud, and none is expected" if not named else f"aud {token.claim('aud')}, and none is expected"
        return _step(Part.AUDIENCE, not named, text)
    passed = any(audience in named for audience in wanted)
    has = f"aud {token.claim('aud')}" if named else "no aud"
    return _step(Part.AUDIENCE, passed, has + ("" if passed else f", and expected is {', '.join(wanted[:5])}"))


def _party(token: Token, settings: AuthSettings) -> Step:
    if not settings.parties:
        return Step(Part.PARTY, StepOutcome.UNCHECKED, "azp not checked: no origins are configured")
    passed = token.claims.get("azp") in settings.parties
    has = f"azp {token.claim('azp')}" if token.claims.get("azp") else "no azp"
    return _step(Part.PARTY, passed, has + ("" if passed else f", and allowed are {', '.join(settings.parties[:5])}"))


def _subject(token: Token) -> Step:
    text = {True: "sub is a text", False: "sub is no text", None: "the token has no sub"}[token.has_subject]
    return _step(Part.SUBJECT, token.has_subject is True, text)


def _status(token: Token) -> Iterator[Step]:
    if token.claims.get("sts") == "pending":
        text = "sts pending: refused where an organisation is mandatory"
        yield Step(Part.STATUS, StepOutcome.UNCHECKED, text)
