"""This machine's clock differs from the identity provider's, so good tokens count as expired or as not yet valid.

## What it finds
A difference of more than 5 s (what Clerk's libraries tolerate) between the clock of this machine and the `Date` of the
answer in which the signing keys came.

## Why it hurts
A session token lives for 60 s. With a clock that is behind, tokens are "not yet valid"; with one that is a minute
ahead, every token has expired when it comes.

## How it is told from its look-alikes
The two clocks are compared, not the token: a token that is old while the clocks agree was kept too long by its sender
(AUT011). The date has no fractions, and the way takes its time: only what is certain counts. The age that a cache adds
is taken into account.

## How to fix
Start time synchronisation (`timedatectl set-ntp true`); a container has the clock of its host. A leeway of a few
seconds belongs into the verifier, not more.

## False positives
The doctor does not run on the machine that verifies the tokens.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    TOLERANCE,
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
    check,
)


@check(
    "AUT010",
    "clock-skew",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[Mechanism("AUT010", "AUT011", "its times are compared with a clock that is wrong", ("time",))],
)
async def clock_skew(auth: Auth) -> AsyncIterator[Finding | Observation]:
    """Compare the clocks."""
    if not auth.has_keys_address:
        raise NotApplicableError("there is nobody whose clock could be asked")
    clocks = await auth.clock_difference()
    if clocks is None:
        raise NotApplicableError("the answer with the signing keys has no date")
    if not clocks.is_skewed:
        yield Observation(f"clocks agree within {TOLERANCE:g} s", rules_out="clock skew")
        return
    off, way = abs(clocks.seconds), "ahead of" if clocks.seconds > 0 else "behind"
    effect = "tokens expire too early here" if clocks.seconds > 0 else "new tokens are not yet valid here"
    yield Finding(
        code="AUT010",
        resource=Resource("service", "clock"),
        symptom=f"this clock is {off:,.0f} s {way} the identity provider's: {effect}",
        cause=f"the clock of this machine is wrong by {off:,.0f} s",
        severity=Severity.ERROR,
        subject="ahead" if clocks.seconds > 0 else "behind",
        impacts=("ExpiredSignatureError" if clocks.seconds > 0 else "ImmatureSignatureError", effect),
        evidence=(
            Evidence(
                EvidenceKind.HTTP,
                f"Date of {auth.endpoint.address}",
                f"this clock is ahead by {clocks.least:,.1f} to {clocks.most:,.1f} s",
            ),
        ),
        related=(Resource("time", "expired" if clocks.seconds > 0 else "too early"),),
        rule="exp, nbf and iat are compared with the clock of the machine that verifies",
        fixes=(FixOption.by_hand("start time synchronisation on this machine", "it is the system's setting"),),
        validation="doctor check --select AUT010",
    )
