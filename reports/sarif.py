"""SARIF 2.1.0, for GitHub's code scanning and every viewer of static analysis.

Each result has a physical location, because GitHub refuses the whole file where one has none. What could not be told is
a result too, so that a gate which could not look does not look green. What `doctor fix` would change in
the source are the fixes of their results.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from doctor.api import (
    CheckResult,
    ExitCode,
    Finding,
    Location,
    Presentation,
    Repair,
    RepairStatus,
    Report,
    Run,
    Severity,
    Status,
    Suppression,
    SuppressionKind,
    exit_code,
    location_of,
    location_of_area,
)

_LEVELS = {
    Severity.INFO: "note",
    Severity.WARNING: "warning",
    Severity.ERROR: "error",
    Severity.CRITICAL: "error",
}

_HUNK = re.compile(r"@@ -(?P<line>\d+)(?:,(?P<count>\d+))? \+\d+(?:,\d+)? @@")

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(run: Run, presentation: Presentation) -> str:
    """Return the log with its one run."""
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(run)]}
    return json.dumps(log, ensure_ascii=False, indent=1) + "\n"


def _run(run: Run) -> dict[str, Any]:
    results = [*_results(run)]
    rules = {result["ruleId"]: number for number, result in enumerate({one["ruleId"]: one for one in results}.values())}
    for result in results:
        result["ruleIndex"] = rules[result["ruleId"]]
    names = {result.code: result.name for result in (*run.before, *run.current)}
    driver = {"name": "doctor", "version": run.version, "rules": [_rule(code, names.get(code, code)) for code in rules]}
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": "doctor/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
        "invocations": [_invocation(run)],
        "results": results,
    }


def _rule(code: str, name: str) -> dict[str, Any]:
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": f"{code} {name}"},
        "help": {"text": f"doctor explain {code}"},
    }


def _invocation(run: Run) -> dict[str, Any]:
    code = exit_code(run)
    return {
        "executionSuccessful": code is not ExitCode.INCOMPLETE,
        "exitCode": int(code),
        "startTimeUtc": run.started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "toolExecutionNotifications": [
            {"level": "error", "message": {"text": _unknown(result)}, "associatedRule": {"id": result.code}}
            for result in run.current
            if result.status is Status.UNKNOWN
        ],
    }


def _results(run: Run) -> Iterator[dict[str, Any]]:
    repairs = {repair.fingerprint: repair for repair in run.repairs if repair.status is RepairStatus.PLANNED}
    for result in run.current:
        for finding in result.findings:
            yield _finding(finding, run) | _fixes(repairs.get(finding.fingerprint), run)
        if result.status is Status.UNKNOWN:
            place = _physical(location_of_area(result.area, run))
            fingerprint = f"unknown-{result.code}"
            yield _result(result.code, "warning", _unknown(result), [{"physicalLocation": place}], fingerprint)
    for suppression in run.suppressions:
        yield _finding(suppression.finding, run) | {"suppressions": [_suppression(suppression)]}


def _unknown(result: CheckResult) -> str:
    return f"{result.code} could not tell: {result.reason}"


def _finding(finding: Finding, run: Run) -> dict[str, Any]:
    resource = finding.resource
    logical = {"fullyQualifiedName": resource.key, "kind": "resource"}
    place = {"physicalLocation": _physical(location_of(finding, run)), "logicalLocations": [logical]}
    text = f"{finding.symptom}\ncause: {finding.cause}"
    result = _result(finding.code, _LEVELS[finding.severity], text, [place], finding.fingerprint)
    details = {"severity": str(finding.severity), "role": str(finding.role), "validation": finding.validation}
    return result | {"properties": details}


def _result(code: str, level: str, text: str, locations: list[dict[str, Any]], fingerprint: str) -> dict[str, Any]:
    return {
        "ruleId": code,
        "level": level,
        "message": {"text": text},
        "locations": locations,
        "partialFingerprints": {"doctorFingerprint/v1": fingerprint},
    }


def _physical(place: Location) -> dict[str, Any]:
    column = {} if place.column is None else {"startColumn": place.column}
    return {"artifactLocation": _artifact(place.path), "region": {"startLine": place.line, **column}}


def _artifact(path: str) -> dict[str, Any]:
    """Return a place below the root; the root itself is ``.``, for a URI may not be empty."""
    return {"uri": quote(path.lstrip("/")) or ".", "uriBaseId": "%SRCROOT%"}


def _suppression(suppression: Suppression) -> dict[str, Any]:
    kind = "inSource" if suppression.kind is SuppressionKind.COMMENT else "external"
    until = f", until {suppression.until}" if suppression.until else ""
    return {"kind": kind, "status": "accepted", "justification": f"{suppression.origin}: {suppression.reason}{until}"}


def _fixes(repair: Repair | None, run: Run) -> dict[str, Any]:
    """Return the planned change of files as fixes; nothing where it changes no file."""
    changes = [] if repair is None else [*_changes(repair.preview.splitlines(), run)]
    if repair is None or not changes:
        return {}
    return {"fixes": [{"description": {"text": repair.title}, "artifactChanges": changes}]}


def _changes(diff: Iterable[str], run: Run) -> Iterator[dict[str, Any]]:
    """Yield the changed files of a unified diff."""
    folders = [*filter(None, (run.target.repository_path, run.target.source_path))]
    change: dict[str, Any] | None = None
    line = 0
    for text in diff:
        if text.startswith("--- "):
            path = text.removeprefix("--- ").removeprefix("a/")
            change = {"artifactLocation": _artifact("/".join((*folders, path))), "replacements": []}
            yield change
        elif change is not None and (hunk := _HUNK.match(text)):
            line = int(hunk["line"]) + (hunk["count"] == "0")
        elif change is not None and not text.startswith("+++ "):
            line = _replace(change["replacements"], text, line)


def _replace(replacements: list[dict[str, Any]], text: str, line: int) -> int:
    """Add one line of a hunk that stands at ``line`` of the old file; return the line of the next."""
    mark, content = text[:1], text[1:]
    if mark not in ("+", "-"):
        return line + (mark == " ")
    last = replacements[-1] if replacements else None
    if last is None or last["deletedRegion"]["endLine"] != line:
        region = {"startLine": line, "startColumn": 1, "endLine": line, "endColumn": 1}
        last = {"deletedRegion": region, "insertedContent": {"text": ""}}
        replacements.append(last)
    if mark == "+":
        last["insertedContent"]["text"] += f"{content}\n"
        return line
    last["deletedRegion"]["endLine"] = line + 1
    return line + 1


REPORT = Report(name="sarif", title="SARIF 2.1.0, for code scanning", machine=True, render=render, shows_changes=True)
