"""A verifier refuses the token that was given, and its parts say whose fault that is.

## What it finds
With `doctor check --token-env NAME`, the token in that variable is taken apart and every check of a verifier is played
through: algorithm, key, signature (published and static key), times, issuer, audience, authorized party, subject. What
is no token at all (a secret key, a session id, `Bearer ` in front) is named. Without a token the check does not run.

## Why it hurts
A verifier stops at the first failure and the log has one sentence for all causes: "token verification failed".

## How it is told from its look-alikes
By which checks fail together. Unknown key and other issuer: another instance. Unknown key that appears when the keys
are fetched again: a rotation. Unknown key, right issuer: withdrawn, or keys of another instance. Wrong signature with a
key of the right name: forged, or a static key of another instance when only that one refuses it. Other issuer, right
signature: the setting. Expired or not yet valid: the sender when the clocks agree, else the clock (AUT010). 5 s are
tolerated, as by Clerk's libraries; PyJWT's own default is 0.

## How to fix
As the finding says; where a setting is at fault, another check of this family is the root.

## False positives
A token that was copied a minute ago has expired: a session token of Clerk lives for 60 s. That alone is a warning, and
the other checks are still worth reading.

The token is never shown or recorded, nor are its subject and its other claims. No address is taken from it. A signature
is checked where PyJWT is installed (`pip install 'pipeline-doctor[auth]'`).
"""

from collections.abc import AsyncIterator, Sequence

from doctor.api import (
    OPT_IN,
    RULES_OUT,
    Auth,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    KeySet,
    KeysUnreachable,
    KeysUnusable,
    NoTokenError,
    Observation,
    Resource,
    Severity,
    Step,
    StepOutcome,
    Token,
    TokenSituation,
    TokenVerdict,
    Variable,
    check,
    play_through,
    take_apart,
    token_verdicts,
)


@check("AUT011", "token-rejected", severity=Severity.ERROR, tags=["live", OPT_IN])
async def token_rejected(auth: Auth, token: Variable) -> AsyncIterator[Finding | Observation]:
    """Take it apart and play a verifier."""
    try:
        taken = take_apart(token.value, variable=token.name, origin=token.origin)
    except NoTokenError as error:
        yield _no_token(token, str(error))
        return
    keys = await auth.keys_or_none()
    steps = play_through(taken, auth.settings, keys, auth.clock())
    for verdict in token_verdicts(taken, steps, await _situation(auth, taken, keys)):
        yield _finding(taken, verdict, steps)
    for step in steps:
        if step.outcome is StepOutcome.PASSED and step.part in RULES_OUT:
            yield Observation(step.text, rules_out=RULES_OUT[step.part])
        elif step.outcome is StepOutcome.UNCHECKED:
            yield Observation(step.text)


async def _situation(auth: Auth, token: Token, keys: KeySet | None) -> TokenSituation:
    if keys is None:
        return TokenSituation(auth.settings, None, None)
    is_known = token.kid is not None and keys.find(token.kid) is not None
    try:
        fresh = None if is_known else await auth.keys_afresh()
    except (KeysUnreachable, KeysUnusable):
        fresh = None
    return TokenSituation(auth.settings, fresh, await auth.clock_difference())


def _finding(token: Token, verdict: TokenVerdict, steps: Sequence[Step]) -> Finding:
    played = "; ".join(f"{step.part} {step.outcome}" for step in steps)
    failed = tuple(
        Evidence(EvidenceKind.CONFIG, f"the token in {token.variable}", step.text)
        for step in steps
        if step.part in verdict.refusal.parts and step.outcome is StepOutcome.FAILED
    )
    return Finding(
        code="AUT011",
        resource=Resource("token", token.variable),
        symptom=f"the token in {token.variable} is refused: {verdict.what}",
        cause=verdict.cause,
        severity=verdict.severity,
        subject=verdict.subject,
        group=verdict.subject,
        impacts=(f"PyJWT raises {verdict.refusal.raised}",),
        evidence=(*failed, Evidence(EvidenceKind.CONFIG, "every check of a verifier", played)),
        related=verdict.refusal.related,
        rule="a verifier refuses a token that fails one of its checks",
        fixes=(FixOption.by_hand(verdict.remedy, verdict.refusal.why),),
        validation=f"doctor check --select AUT --token-env {token.variable}, with a new token",
    )


def _no_token(variable: Variable, what: str) -> Finding:
    return Finding(
        code="AUT011",
        resource=Resource("token", variable.name),
        symptom=f"{variable.name} holds no token: {what}",
        cause=what,
        severity=Severity.ERROR,
        subject="form",
        impacts=("PyJWT raises DecodeError, so the answer is 401 whatever the settings are",),
        evidence=(Evidence(EvidenceKind.CONFIG, variable.origin, what),),
        rule="a signed token is three parts of base64 with dots between (RFC 7515, 3.1)",
        fixes=(FixOption.by_hand("send the session token, alone, after `Bearer `", "it is the sender's code"),),
        validation=f"doctor check --select AUT --token-env {variable.name}",
    )
