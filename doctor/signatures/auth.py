"""Tokens that are not accepted."""

from doctor.api import Hypothesis, KnownSignature, Severity

_KEYS = (
    Hypothesis("the URL of the keys is built from a publishable key that was not decoded", "AUT003"),
    Hypothesis("the keys are fetched from the address that the token itself names", "AUT002"),
    Hypothesis("tokens are taken without verification, or everything is let in, when nothing is configured", "AUT004"),
)

SIGNATURES = (
    KnownSignature(
        "token-rejected",
        "tokens that could not be verified are refused",
        hint="Unverified token rejected",
        pattern=r"Unverified token rejected",
        examples=("Unverified token rejected (production).",),
        area="auth",
        hypotheses=_KEYS,
        leads_to=("token-verification-failed",),
    ),
    KnownSignature(
        "token-verification-failed",
        "requests are refused because their token fails verification",
        hint="Token verification failed for endpoint",
        pattern=r"Token verification failed for endpoint: (?P<endpoint>[A-Z]+ /\S*)",
        examples=(
            "AUTHENTICATION ERROR: Token verification failed for endpoint: GET /api/content-planning/monitoring/health",
        ),
        area="auth",
        hypotheses=_KEYS,
        kinds={"endpoint": "endpoint"},
    ),
    KnownSignature(
        "token-not-valid",
        "a token is not valid by itself: expired, not yet valid, or signed with another key",
        hint="ignature",
        pattern=r"Signature (?:has expired|verification failed)",
        examples=("jwt.exceptions.ExpiredSignatureError: Signature has expired",),
        severity=Severity.WARNING,
        area="auth",
        hypotheses=(
            Hypothesis("the client sends old tokens, or the clocks differ"),
            *_KEYS[:2],
        ),
        leads_to=("token-rejected", "token-verification-failed"),
    ),
)
