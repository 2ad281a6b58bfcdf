"""What logs tell as JSON for programs: ``schema_version`` 1, additive only; its JSON Schema is ``log_json.schema.json``
beside this file."""

from __future__ import annotations

import json
from dataclasses import asdict

from doctor.api import LogReport, LogSummary, Presentation


def render(summary: LogSummary, presentation: Presentation) -> str:
    """Return one JSON document, ending in a newline."""
    return json.dumps(asdict(summary), indent=2, ensure_ascii=False) + "\n"


LOG_REPORT = LogReport("json", "one JSON document, for programs", machine=True, render=render)
