"""GitLab's code quality report: an array of issues, each at a line of the repository, shown in the merge request.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from doctor.api import (
    JSON,
    Location,
    Presentation,
    Report,
    Run,
    Severity,
    Status,
    location_of,
    location_of_area,
)

_SEVERITIES = {
    Severity.INFO: "info",
    Severity.WARNING: "minor",
    Severity.ERROR: "major",
    Severity.CRITICAL: "critical",
}


def render(run: Run, presentation: Presentation) -> str:
    """Return the array; what could not be told is an issue too, so that it does not look well."""
    return json.dumps(list(_issues(run)), indent=1, ensure_ascii=False) + "\n"


def _issues(run: Run) -> Iterator[JSON]:
    for result in run.current:
        for finding in result.findings:
            description = f"{finding.code} {finding.symptom}"
            severity = _SEVERITIES[finding.severity]
            yield _issue(result.name, description, severity, finding.fingerprint, location_of(finding, run))
        if result.status is Status.UNKNOWN:
            description = f"{result.code} could not tell: {result.reason}"
            place = location_of_area(result.area, run)
            yield _issue(result.name, description, "minor", f"unknown-{result.code}", place)


def _issue(name: str, description: str, severity: str, fingerprint: str, place: Location) -> JSON:
    return {
        "description": description,
        "check_name": name,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": place.path, "lines": {"begin": place.line}},
    }


REPORT = Report(name="gitlab", title="GitLab's code quality report", machine=True, render=render)
