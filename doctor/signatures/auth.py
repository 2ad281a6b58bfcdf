"""Tokens that are not accepted."""

from doctor.api import Hypothesis, KnownSignature, Severity

_KEYS = (
    Hypothesis("the address of the keys is made from a publishable key that nobody decoded", "AUT012"),
    Hypothesis("the keys cannot be fetched, or are no keys", "AUT005"),
    Hypothesis("the settings are of different instances or modes", "AUT007"),
    Hypothesis("the configured issuer is not the one that the tokens name", "AUT009"),
    Hypothesis("the key that is held is not among those of the configured instance", "AUT008"),
    Hypothesis("the clocks differ, so good tokens count as expired", "AUT010"),
    Hypothesis("requests are sent before the client's session is ready, or without a token"),
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
            Hypothesis("the clocks differ, so good tokens count as expired", "AUT010"),
            Hypothesis("the keys are of another instance than the tokens", "AUT007"),
            Hypothesis("the client sends tokens that are really too old"),
        ),
        leads_to=("token-rejected", "token-verification-failed"),
    ),
)
