"""JUnit's XML, which every CI system shows: one test case a check, or one for each of its findings.

Only what fails the gate is a failure, so that the file and the exit code say the same. What was skipped or left out is
skipped with its reason; what could not be told is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, tostring

from doctor.api import (
    CheckResult,
    Finding,
    Presentation,
    Report,
    Run,
    Status,
    Suppression,
    by_area,
    fails_gate,
    location_of,
)

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(run: Run, presentation: Presentation) -> str:
    """Return the document: one suite an area."""
    root = Element("testsuites", name="doctor", time=f"{run.duration:.3f}")
    for area, results in by_area(run.current).items():
        _suite(root, area, [case for result in results for case in _cases(result, run)], run)
    if run.suppressions:
        _suite(root, "left out", [_left_out(each) for each in run.suppressions], run)
    _count(root, list(root.iter("testcase")))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, area: str, cases: list[Element], run: Run) -> None:
    suite = SubElement(root, "testsuite", name=_clean(area), timestamp=run.started_at.isoformat(timespec="seconds"))
    suite.extend(cases)
    _count(suite, cases)


def _count(of: Element, cases: list[Element]) -> None:
    of.set("tests", str(len(cases)))
    for attribute, name in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        of.set(attribute, str(sum(case.find(name) is not None for case in cases)))


def _cases(result: CheckResult, run: Run) -> Iterator[Element]:
    if result.status in (Status.PASS, Status.SKIP, Status.UNKNOWN):
        case = _case(f"{result.code} {result.name}", result.area, result.duration)
        if result.status is Status.SKIP:
            blocked = f"blocked by {result.blocked_by}: " if result.blocked_by else ""
            SubElement(case, "skipped", message=_clean(f"{blocked}{result.reason}"))
        elif result.status is Status.UNKNOWN:
            SubElement(case, "error", message=_clean(result.reason), type="unknown")
        yield case
    for finding in result.findings:
        yield _finding(finding, result, run)


def _finding(finding: Finding, result: CheckResult, run: Run) -> Element:
    place = location_of(finding, run)
    name = f"{finding.code} {finding.resource.key} {finding.subject}".rstrip()
    case = _case(name, result.area, result.duration / len(result.findings))
    case.set("file", _clean(place.path))
    case.set("line", str(place.line))
    told = [f"{place.path}:{place.line}", finding.symptom, f"cause: {finding.cause}"]
    told += [f"{one.source}: {one.text}" for one in finding.evidence]
    if fails_gate(finding.severity, run.fail_on):
        failure = SubElement(case, "failure", message=_clean(finding.symptom), type=str(finding.severity))
        failure.text = _clean("\n".join(told))
    else:
        SubElement(case, "system-out").text = _clean("\n".join((str(finding.severity), *told)))
    return case


def _left_out(each: Suppression) -> Element:
    case = _case(f"{each.finding.code} {each.finding.resource.key}", "left out", 0.0)
    SubElement(case, "skipped", message=_clean(f"{each.origin}: {each.reason}"))
    return case


def _case(name: str, area: str, duration: float) -> Element:
    return Element("testcase", name=_clean(name), classname=_clean(f"doctor.{area}"), time=f"{duration:.3f}")


def _clean(text: str) -> str:
    """Return text without the characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


REPORT = Report(name="junit", title="JUnit's XML, for CI systems", machine=True, render=render)
