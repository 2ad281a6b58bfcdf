"""What logs tell on the terminal: bounded, harmless, and the same words with and without colour."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
from pydantic import TypeAdapter

from doctor.log_summary import LogGroup, LogIssue, LogRate, LogSample, LogSignal, LogSummary, Occurrences
from doctor.model import Confidence, Severity
from doctor.report import Presentation
from doctor.reports import log_json, log_text

SCHEMA = Path(log_json.__file__).with_name("log_json.schema.json")
PLAIN = Presentation(width=100)


def occurrences(count: int, text: str = "it failed") -> Occurrences:
    sample = LogSample(text, "worker.log", 7)
    rate = LogRate("2026-11-20T19:00:00Z", 60, (1, 0, 8))
    return Occurrences(count, "2026-11-20T19:00:00Z", "2026-11-20T19:02:09Z", rate, {"worker": count}, (sample,))


def issue(name: str, **others: object) -> LogIssue:
    plain = LogIssue(name, "it failed", "models", Severity.ERROR, Confidence.LOW, "only a log line", occurrences(9))
    return replace(plain, **others)  # type: ignore[arg-type]


def group(name: str, level: str = "error", **others: object) -> LogGroup:
    return replace(LogGroup(name, "mask", level, "", "it failed", occurrences(9)), **others)  # type: ignore[arg-type]


SUMMARY = LogSummary(
    version="0.1.0",
    inputs=(),
    lines=20,
    records=18,
    first="2026-11-20T19:00:00Z",
    last="2026-11-21T19:02:09Z",
    issues=(issue("first"), issue("second", caused_by=("first",)), issue("third", severity=Severity.WARNING)),
    progress=(LogSignal("worked", "x", occurrences(2)),),
    noise=(),
    groups=(group("a" * 12), group("b" * 12, "info"), group("c" * 12, exceptions=("KeyError: 1",))),
    redactions={"password": 3},
    problems=("x.log: no text, passed over",),
    unkept_records=4,
)


def test_effects_stand_below_their_cause() -> None:
    shown = log_text.render(SUMMARY, PLAIN)
    assert "KNOWN PROBLEMS   2, in the order of what must work first; 1 effect below their causes" in shown
    assert "explains       second ×9" in shown
    assert re.search(
        r"^    1  first   error · low   models   ×9   2026-11-20T19:00:00Z to 19:02:09Z  ▁ █$", shown, re.MULTILINE
    )
    assert "second   error" not in shown


def test_errors_that_nothing_knows_are_told_apart_from_other_lines() -> None:
    shown = log_text.render(SUMMARY, PLAIN)
    assert "OTHER ERRORS   2 groups that no known signature covers" in shown
    assert "KeyError: 1" in shown
    assert "OTHER LINES   1 group\n" in shown
    assert "WORKED        worked ×2" in shown
    assert "TAKEN OUT     password ×3" in shown
    assert "4 records of further groups are counted and not kept" in shown


def test_colour_changes_no_word_and_quiet_shows_only_what_is_wrong() -> None:
    coloured = log_text.render(SUMMARY, Presentation(color=True, width=100))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == log_text.render(SUMMARY, PLAIN)
    quiet = log_text.render(SUMMARY, Presentation(width=100, quiet=True))
    assert "OTHER LINES" not in quiet
    assert "first   error" in quiet


def test_no_text_of_a_log_forges_a_line_or_a_colour() -> None:
    hostile = "\x1b[31mred\r\nKNOWN PROBLEMS\n\u202e"
    shown = log_text.render(replace(SUMMARY, issues=(issue("first", occurrences=occurrences(1, hostile)),)), PLAIN)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert not [line for line in shown.splitlines()[5:] if line.startswith("KNOWN")]


def test_nothing_known_is_said_so() -> None:
    assert "KNOWN PROBLEMS   none of the lines" in log_text.render(replace(SUMMARY, issues=()), PLAIN)


def test_the_json_document_has_the_schema_that_ships() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    made = TypeAdapter(LogSummary).json_schema()
    assert {**made, "$schema": schema["$schema"], "title": schema["title"]} == schema
    document = json.loads(log_json.render(SUMMARY, PLAIN))
    jsonschema.validate(document, schema)
    assert document["schema_version"] == "1"
    assert TypeAdapter(LogSummary).validate_python(document) == SUMMARY
