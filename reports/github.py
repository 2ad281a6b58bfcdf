"""GitHub's annotations: workflow commands that show each finding beside its line, and a summary for the job's page.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from doctor.api import (
    Appendix,
    Finding,
    Location,
    Presentation,
    Report,
    Run,
    Severity,
    Status,
    counted,
    location_of,
    location_of_area,
    status_sentence,
)

_COMMANDS = {
    Severity.INFO: "notice",
    Severity.WARNING: "warning",
    Severity.ERROR: "error",
    Severity.CRITICAL: "error",
}

SHOWN = 100
"""Rows of the summary; GitHub refuses one of more than 1 MiB."""

_MARKUP = re.compile(r"[\\|`*_\[\]!~]")

_TEXT = 300
"""Characters of one cell."""


def render(run: Run, presentation: Presentation) -> str:
    """Return one command a line, the gravest first: of each kind GitHub shows the first ten of a step."""
    return "".join(f"{line}\n" for line in _commands(run))


def _commands(run: Run) -> Iterator[str]:
    for finding, name in _gravest_first(run):
        place = location_of(finding, run)
        yield _command(_COMMANDS[finding.severity], place, f"{finding.code} {name}", finding.symptom)
    for result in run.current:
        if result.status is Status.UNKNOWN:
            place = location_of_area(result.area, run)
            yield _command("warning", place, f"{result.code} {result.name}", f"could not tell: {result.reason}")


def _gravest_first(run: Run) -> list[tuple[Finding, str]]:
    found = [(finding, result.name) for result in run.current for finding in result.findings]
    return sorted(found, key=lambda each: -each[0].severity.rank)


def _command(command: str, place: Location, title: str, message: str) -> str:
    column = {} if place.column is None else {"col": place.column}
    properties = {"file": place.path, "line": place.line, **column, "title": title}
    shown = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{command} {shown}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(run: Run) -> str:
    """Return the job's summary in Markdown: the verdict, a table of findings, what could not be told, what was left
    out."""
    return "\n".join((*_summary(run), ""))


def _summary(run: Run) -> Iterator[str]:
    yield f"### doctor: {_cell(status_sentence(run))}"
    yield ""
    found = _gravest_first(run)
    if found:
        yield "| severity | code | place | what is seen |"
        yield "|---|---|---|---|"
    for finding, _name in found[:SHOWN]:
        place = location_of(finding, run)
        where, what = _cell(f"{place.path}:{place.line}"), _cell(finding.symptom)
        yield f"| {finding.severity} | {finding.code} | {where} | {what} |"
    if len(found) > SHOWN:
        yield f"\n{counted(len(found) - SHOWN, 'finding')} more."
    for result in run.current:
        if result.status is Status.UNKNOWN:
            yield f"\n{result.code} could not tell: {_cell(result.reason)}"
    if run.suppressions:
        yield f"\n{counted(len(run.suppressions), 'finding')} left out: ignored, muted or known before."


def _cell(text: str) -> str:
    """Return text that ends no cell and is no markup: what the target calls a table must not become a link here."""
    one_line = " ".join(text.split())
    bounded = one_line if len(one_line) <= _TEXT else f"{one_line[:_TEXT]}…"
    return _MARKUP.sub(r"\\\g<0>", bounded.replace("&", "&amp;").replace("<", "&lt;")).replace("@", "&#64;")


REPORT = Report(
    name="github",
    title="annotations and a job summary for GitHub",
    machine=True,
    render=render,
    appendix=Appendix("GITHUB_STEP_SUMMARY", summary),
)
