"""JSON for programs: ``schema_version`` 1, additive only; its JSON Schema is ``json_document.schema.json`` beside
this file."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from doctor.api import Finding, Presentation, Report, Run, Severity, Status, Suppression, exit_code, status_word


def render(run: Run, presentation: Presentation) -> str:
    """Return one JSON document, ending in a newline."""
    return json.dumps(document(run), indent=2, ensure_ascii=False, default=encode) + "\n"


def document(run: Run) -> dict[str, Any]:
    """Return the document as plain data."""
    findings = [finding for result in run.current for finding in result.findings]
    present = {finding.fingerprint for finding in findings}
    return {
        "schema_version": run.schema_version,
        "tool": {"name": "doctor", "version": run.version},
        "run": {
            "id": run.id,
            "started_at": run.started_at,
            "duration_seconds": run.duration,
            "checked_again_at": run.checked_again_at,
            "target": asdict(run.target),
            "fail_on": run.fail_on,
            "versions": dict(run.versions),
            "configuration_fingerprint": run.configuration_fingerprint,
        },
        "status": status_word(run),
        "exit_code": int(exit_code(run)),
        "summary": {
            "checks": {str(s): sum(result.status is s for result in run.current) for s in Status},
            "findings": {str(s): sum(finding.severity is s for finding in findings) for s in Severity},
        },
        "checks": {result.code: _check(result) for result in run.current},
        "findings": [_finding(finding) for finding in findings],
        "resolved": [_finding(finding) for finding in run.findings if finding.fingerprint not in present],
        "diagnosis": asdict(run.diagnosis),
        "repairs": [asdict(repair) for repair in run.repairs],
        "verification": None if run.verification is None else asdict(run.verification),
        "suppressions": [_suppression(each) for each in run.suppressions],
    }


def _suppression(suppression: Suppression) -> dict[str, Any]:
    return {
        "finding": _finding(suppression.finding),
        "origin": suppression.origin,
        "reason": suppression.reason,
        "until": None if suppression.until is None else suppression.until.isoformat(),
        "kind": suppression.kind,
    }


def _check(result: Any) -> dict[str, Any]:
    return {
        "name": result.name,
        "area": result.area,
        "status": result.status,
        "reason": result.reason,
        "blocked_by": result.blocked_by,
        "duration_seconds": result.duration,
        "findings": [finding.fingerprint for finding in result.findings],
        "observations": [observation.text for observation in result.observations],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {"fingerprint": finding.fingerprint, **asdict(finding)}


def encode(value: object) -> object:
    """Return the JSON form of what json does not know."""
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")  # pragma: no cover - a bug if it happens


REPORT = Report(name="json", title="one JSON document, for programs", machine=True, render=render)
