"""One line a finding, as compilers write them, so that editors jump to the place: ``path:line: severity CODE name:
what is seen``. The last line is the verdict."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import (
    CheckResult,
    Finding,
    Presentation,
    Report,
    Run,
    Severity,
    Status,
    counted,
    location_of,
    status_word,
)


def render(run: Run, presentation: Presentation) -> str:
    """Return the lines: findings in the order of the checks, what could not be told, the verdict."""
    return "".join(f"{' '.join(line.split())}\n" for line in _lines(run))


def _lines(run: Run) -> Iterator[str]:
    for result in run.current:
        for finding in result.findings:
            yield _finding(finding, result, run)
    for result in run.current:
        if result.status is Status.UNKNOWN:
            yield f"{result.code} {result.name}: could not tell: {result.reason}"
    yield _verdict(run)


def _finding(finding: Finding, result: CheckResult, run: Run) -> str:
    place = location_of(finding, run)
    column = "" if place.column is None else f":{place.column}"
    return f"{place.path}:{place.line}{column}: {finding.severity} {finding.code} {result.name}: {finding.symptom}"


def _verdict(run: Run) -> str:
    severities = [finding.severity for result in run.current for finding in result.findings]
    gravest_first = sorted(Severity, key=lambda severity: -severity.rank)
    counts = ", ".join(f"{severities.count(one)} {one}" for one in gravest_first if one in severities)
    unknown = sum(result.status is Status.UNKNOWN for result in run.current)
    parts = [
        counts or "nothing found",
        f"{counted(unknown, 'check')} could not tell" if unknown else "",
        f"{counted(len(run.suppressions), 'finding')} left out" if run.suppressions else "",
    ]
    return f"{status_word(run)}: {'; '.join(filter(None, parts))}"


REPORT = Report(name="concise", title="one line a finding, for editors and logs", machine=True, render=render)
