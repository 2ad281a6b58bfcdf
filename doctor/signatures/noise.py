"""Lines that look like trouble and are none."""

from doctor.api import KnownSignature, Severity, SignatureKind


def _noise(name: str, title: str, hint: str, pattern: str, *examples: str) -> KnownSignature:
    return KnownSignature(
        name, title, hint, pattern, examples, kind=SignatureKind.NOISE, severity=Severity.INFO, area="logs"
    )


SIGNATURES = (
    _noise(
        "reload-of-development-server",
        "a development server reloads itself after a change",
        "etected change",
        r"(?:StatReload|WatchFiles|WatchGodReload) detected changes? in |Detected change in '[^']*', reloading",
        "StatReload detected changes in 'api\\today_workflow.py'. Reloading...",
        "WatchFiles detected changes in 'app/main.py'. Reloading...",
    ),
    _noise(
        "health-probe",
        "somebody asks whether the server is alive",
        "/health",
        r"\"(?:GET|HEAD) /(?:health|healthz|healthcheck)/?(?:\?\S*)? HTTP/[\d.]+\" 200",
        'INFO:     127.0.0.1:45400 - "GET /health HTTP/1.1" 200 OK',
    ),
)
