"""Logs that have destroyed what they should have kept."""

from doctor.api import Hypothesis, KnownSignature, Severity

_LOST = Hypothesis("arguments for `%s` are given to a logger that formats with `{}`", "LOG001")

SIGNATURES = (
    KnownSignature(
        "template-not-filled-in",
        "a log line shows its placeholders: the values were never written",
        hint="%",
        pattern=r"(?i)^(?!.*\b(?:select|insert|update|delete|values|where)\b)(?:.*[\s:='\"(\[])?%(?:[sdr]|\(\w+\)[sdr])(?!\w)",
        examples=(
            "HF structured model not found: %s. Trying fallback model.",
            "HF structured model not found (no response_format path): %s",
        ),
        severity=Severity.WARNING,
        hypotheses=(_LOST,),
        note="lost evidence: the value that is missing may be the one that tells two causes apart",
    ),
    KnownSignature(
        "logging-error",
        "a log call itself failed: its arguments do not fit its message",
        hint="--- Logging error ---",
        pattern=r"--- Logging error ---",
        examples=("--- Logging error ---",),
        severity=Severity.WARNING,
        hypotheses=(Hypothesis("the call gives more, fewer or other arguments than its message has placeholders"),),
        note="lost evidence: the message was never written; the exception shown is the logger's, not the application's",
    ),
)
