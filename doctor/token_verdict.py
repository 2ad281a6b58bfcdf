"""From the checks that a token failed to the causes: which failures belong together, and whose fault they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from doctor.model import Resource, Severity
from doctor.resources.auth import ClockDifference
from doctor.resources.auth_settings import AuthSettings, host_of
from doctor.resources.json_web_token import Token
from doctor.resources.key_set import KeySet
from doctor.token_steps import Part, Step, StepOutcome


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of refusal. ``raised`` is PyJWT's error; ``why`` says why nobody but a person can act.

    ``parts`` are the checks that fail, ``related`` is what joins it to the finding of another check.
    """

    raised: str
    why: str
    parts: tuple[Part, ...]
    related: tuple[Resource, ...] = ()


def _claims_of(*names: str) -> tuple[Resource, ...]:
    return tuple(Resource("claim", name) for name in names)


_NO_KEY = "PyJWKClientError: Unable to find a signing key that matches"
_YOURS = "which instance is meant is known to you only"
_SENDERS = "the sender chose the token"

REFUSALS = {
    "algorithm": Refusal(
        "InvalidAlgorithmError (and a TypeError, so a 500, where the verifier also allows HS256)",
        _SENDERS,
        (Part.ALGORITHM,),
    ),
    "instance": Refusal(_NO_KEY, _YOURS, (Part.KEY, Part.ISSUER), _claims_of("kid", "iss", "signature")),
    "rotation": Refusal(_NO_KEY, "the cache is in the application's memory", (Part.KEY,)),
    "key": Refusal(_NO_KEY, "a key that was withdrawn does not come back", (Part.KEY,), _claims_of("kid")),
    "signature": Refusal(
        "InvalidSignatureError",
        "nothing makes a wrong signature right",
        (Part.SIGNATURE,),
        _claims_of("published signature"),
    ),
    "static key": Refusal(
        "InvalidSignatureError", "it is in the dashboard only", (Part.STATIC_KEY,), _claims_of("signature")
    ),
    "issuer": Refusal("InvalidIssuerError", _YOURS, (Part.ISSUER,), _claims_of("iss")),
    "party": Refusal(
        "nothing: azp is the application's own check", "which origins are yours is known to you only", (Part.PARTY,)
    ),
    "audience": Refusal(
        "InvalidAudienceError or MissingRequiredClaimError", "both sides have to agree", (Part.AUDIENCE,)
    ),
    "subject": Refusal("MissingRequiredClaimError or InvalidSubjectError", _SENDERS, (Part.SUBJECT,)),
    "too early": Refusal(
        "ImmatureSignatureError",
        "it is the system's setting",
        (Part.NOT_BEFORE, Part.ISSUED_AT),
        (Resource("time", "too early"),),
    ),
    "expired": Refusal(
        "ExpiredSignatureError", "it is the sender's code", (Part.EXPIRY,), (Resource("time", "expired"),)
    ),
}
"""Subject of a finding → what is the same for every refusal of this kind."""


@dataclass(frozen=True, slots=True)
class TokenVerdict:
    """One cause for which a verifier refuses a token; ``subject`` is its kind, a key of :data:`REFUSALS`."""

    subject: str
    what: str
    cause: str
    remedy: str
    severity: Severity = Severity.ERROR

    @property
    def refusal(self) -> Refusal:
        """What is the same for every refusal of this kind."""
        return REFUSALS[self.subject]


@dataclass(frozen=True, slots=True)
class TokenSituation:
    """What is known beside the token: the settings, the keys when they are asked for again, and the clocks."""

    settings: AuthSettings
    fresh: KeySet | None
    clocks: ClockDifference | None

    @property
    def clocks_agree(self) -> bool:
        """Whether the clock is known to be right."""
        return self.clocks is not None and not self.clocks.is_skewed


def token_verdicts(token: Token, steps: Sequence[Step], situation: TokenSituation) -> Iterator[TokenVerdict]:
    """Yield the causes of all failures, those of the key first; none: every check that could be made passes."""
    by_part = {step.part: step for step in steps}
    failed = {part: step for part, step in by_part.items() if step.outcome is StepOutcome.FAILED}
    if Part.ALGORITHM in failed:
        yield _wrong_algorithm(token, failed)
    is_foreign = Part.KEY in failed and Part.ISSUER in failed and _other_host(token, situation.settings)
    if is_foreign:
        yield _other_instance(token, failed, situation)
    elif Part.KEY in failed and Part.ALGORITHM not in failed:
        yield _unknown_key(token, failed, situation)
    if Part.SIGNATURE in failed and Part.ALGORITHM not in failed:
        yield _wrong_signature(failed)
    if Part.STATIC_KEY in failed:
        yield _wrong_static_key(by_part)
    if Part.ISSUER in failed and not is_foreign:
        yield _wrong_issuer(by_part)
    yield from _claims(failed, situation.settings)
    yield from _times(failed, situation, alone=failed.keys() == {Part.EXPIRY})


def _other_host(token: Token, settings: AuthSettings) -> bool:
    return host_of(str(token.claims.get("iss", ""))).lower() != host_of(settings.issuer_address).lower()


def _wrong_algorithm(token: Token, failed: Mapping[Part, Step]) -> TokenVerdict:
    shared = token.algorithm.startswith("HS")
    return TokenVerdict(
        subject="algorithm",
        what=failed[Part.ALGORITHM].text,
        cause="it is signed with a shared secret" if shared else "it is signed with what no public key checks",
        remedy="send the session token itself, not one of a template for another service"
        if shared
        else "find out who made it: nobody but an attacker signs like this",
    )


def _other_instance(token: Token, failed: Mapping[Part, Step], situation: TokenSituation) -> TokenVerdict:
    ours = host_of(situation.settings.issuer_address)
    theirs = host_of(token.claim("iss")) or token.claim("iss")
    return TokenVerdict(
        subject="instance",
        what=f"it is of another instance: issued by {theirs}, and configured is {ours}; {failed[Part.KEY].text}",
        cause="the token and the settings are of different instances",
        remedy=f"give the sender the publishable key of {ours}, or this service the keys of {theirs}",
    )


def _unknown_key(token: Token, failed: Mapping[Part, Step], situation: TokenSituation) -> TokenVerdict:
    if token.kid is not None and situation.fresh is not None and situation.fresh.find(token.kid) is not None:
        return TokenVerdict(
            subject="rotation",
            what=f"its key appeared only when the keys were fetched again: {failed[Part.KEY].text}",
            cause="the keys were rotated, and whoever fetched them before has the old ones",
            remedy="wait until the application's cache is over (30 s cool-down, 300 s lifespan), or start it again",
            severity=Severity.WARNING,
        )
    return TokenVerdict(
        subject="key",
        what=f"no published key signed it, and its issuer is the right one: {failed[Part.KEY].text}",
        cause="its key is published no longer, or the address of the keys is that of another instance",
        remedy="get a new token; if that has the same kid, correct the address of the keys",
    )


def _wrong_signature(failed: Mapping[Part, Step]) -> TokenVerdict:
    return TokenVerdict(
        subject="signature",
        what=f"{failed[Part.SIGNATURE].text}, whose name it bears",
        cause="it was forged or changed on its way, or another instance gave its key the same name",
        remedy="get a new token from the provider; refuse this one",
    )


def _is_signed_by_published(by_part: Mapping[Part, Step]) -> bool:
    step = by_part.get(Part.SIGNATURE)
    return step is not None and step.outcome is StepOutcome.PASSED


def _wrong_static_key(by_part: Mapping[Part, Step]) -> TokenVerdict:
    is_proved = _is_signed_by_published(by_part)
    return TokenVerdict(
        subject="static key",
        what=by_part[Part.STATIC_KEY].text + (", and right with the published one" if is_proved else ""),
        cause="the static key is of another instance"
        if is_proved
        else "the static key is of another instance, or the token is forged",
        remedy="copy the static key again from the instance that issues the tokens, or leave it out",
    )


def _wrong_issuer(by_part: Mapping[Part, Step]) -> TokenVerdict:
    is_proved = _is_signed_by_published(by_part)
    return TokenVerdict(
        subject="issuer",
        what=by_part[Part.ISSUER].text + (", though the signature is right" if is_proved else ""),
        cause="the configured issuer is written differently" if is_proved else "it is of another issuer",
        remedy="write the issuer as the token has it" if is_proved else "send a token of the configured issuer",
    )


def _claims(failed: Mapping[Part, Step], settings: AuthSettings) -> Iterator[TokenVerdict]:
    if Part.PARTY in failed:
        variable = settings.parties_variable
        yield TokenVerdict(
            subject="party",
            what=failed[Part.PARTY].text,
            cause="it was made for a page of an origin that is not allowed",
            remedy=f"add the origin to {variable.name if variable else 'the list'}, if it is yours",
        )
    if Part.AUDIENCE in failed:
        yield TokenVerdict(
            subject="audience",
            what=failed[Part.AUDIENCE].text,
            cause="a JWT template gives the token an audience that the verifier does not expect"
            if not settings.audience
            else "the audience that the verifier expects is not in the token",
            remedy="set the audience in the verifier, or take it out of the template",
        )
    if Part.SUBJECT in failed:
        yield TokenVerdict(
            subject="subject",
            what=failed[Part.SUBJECT].text,
            cause="it names no user",
            remedy="send the token of a session, not one of a machine or a template",
        )


def _times(failed: Mapping[Part, Step], situation: TokenSituation, *, alone: bool) -> Iterator[TokenVerdict]:
    agree = "the clocks agree" if situation.clocks_agree else "the clocks were not compared"
    if situation.clocks is not None and situation.clocks.is_skewed:
        agree = "the clocks differ"
    early = [part for part in (Part.NOT_BEFORE, Part.ISSUED_AT) if part in failed]
    if early:
        yield TokenVerdict(
            subject="too early",
            what=f"it is not yet valid: {failed[early[0]].text}, and {agree}",
            cause="it was made with a clock that is ahead"
            if situation.clocks_agree
            else "this machine's clock is behind",
            remedy="correct the clock of the machine that made it" if situation.clocks_agree else "correct the clock",
        )
    if Part.EXPIRY in failed:
        only = "; everything else is right" if alone else ""
        yield TokenVerdict(
            subject="expired",
            what=f"{failed[Part.EXPIRY].text}, and {agree}{only}",
            cause="its sender kept it too long" if situation.clocks_agree else "it is old, or this clock is ahead",
            remedy="fetch a token for each request (Clerk: `getToken()`), and do not put tokens into queues",
            severity=Severity.WARNING if alone and situation.clocks_agree else Severity.ERROR,
        )
