"""Each of the smaller formats is read by what reads it in earnest, or by a strict reader of its standard."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus
from referencing import Registry, Resource

import doctor.reports
from doctor.diagnosis import diagnose
from doctor.model import Metric, Observation, Run, Severity, Status, Suppression
from doctor.model import Resource as Thing
from doctor.report import Presentation
from doctor.reports import concise, github, gitlab, json_lines, junit, nagios, prometheus
from doctor.verdict import exit_code, fails_gate
from tests.example_runs import CHAIN, MECHANISMS, finding, result, run_of, stalled, three_in_series
from tests.reports.test_json_document import RUNS, SCHEMA
from tests.strategies import runs

FOLDER = Path(doctor.reports.__file__).parent
LINE = json.loads((FOLDER / "json_line.schema.json").read_text(encoding="utf-8"))
LINES = Draft202012Validator(LINE, registry=Registry().with_resource(SCHEMA["$id"], Resource.from_contents(SCHEMA)))

every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
any_run = given(runs)
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

HOSTILE = finding(
    "EMB001",
    Thing("column", 'a"b\\c<script>|::error::%0A'),
    symptom="100% | a,b: <b>x</b>\n::error::[link](http://x) `code`",
    metric=Metric("rows_without_vector", 7, 'column:a"b\\c\nd'),
)


def shown(report: Any, run: Run) -> str:
    return str(report.REPORT.render(run, Presentation()))


def found(run: Run) -> list[Any]:
    return [finding for result in run.current for finding in result.findings]


def hostile(**fields: Any) -> Run:
    return run_of((result("EMB001", HOSTILE),), chain=None, **fields)


# concise


@every_run
def test_concise_has_one_line_a_finding_and_the_verdict_last(run: Run):
    lines = shown(concise, run).splitlines()
    unknown = sum(one.status is Status.UNKNOWN for one in run.current)
    assert len(lines) == len(found(run)) + unknown + 1
    assert all(
        re.match(r"\S[^:]*:\d+(:\d+)?: (info|warning|error|critical) [A-Z]{3}\d{3} ", line)
        for line in lines[: len(found(run))]
    )


def test_concise_says_what_could_not_be_told_and_how_many_there_are():
    shown_lines = shown(concise, RUNS["a check that could not tell"]).splitlines()
    assert shown_lines[-2:] == [
        "DOC001 plugin-not-usable: could not tell: plugin x: ValueError: no",
        "incomplete: 1 info; 1 check could not tell",
    ]
    assert shown(concise, hostile()).count("\n") == 2


# jsonl


def line_problems(run: Run) -> list[str]:
    return [
        error.message for line in shown(json_lines, run).splitlines() for error in LINES.iter_errors(json.loads(line))
    ]


@every_run
def test_each_line_keeps_to_its_schema(run: Run):
    assert line_problems(run) == []


@few
@any_run
def test_each_line_of_any_run_keeps_to_its_schema(run: Run):
    run = replace(run, diagnosis=diagnose(run.before, MECHANISMS, CHAIN))
    assert line_problems(run) == []
    kinds = [json.loads(line)["type"] for line in shown(json_lines, run).split("\n")[:-1]]
    assert (kinds[0], kinds[-1]) == ("run", "verdict")


# gitlab


@few
@any_run
def test_gitlab_has_what_it_demands_of_every_issue(run: Run):
    for issue in json.loads(shown(gitlab, run)):
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith(("./", "/"))


def test_gitlab_tells_what_could_not_be_told():
    issues = json.loads(shown(gitlab, RUNS["a check that could not tell"]))
    assert [one["fingerprint"] for one in issues][-1] == "unknown-DOC001"


# github


@few
@any_run
def test_github_has_one_command_a_line(run: Run):
    pattern = re.compile(r"::(error|warning|notice) file=[^,]+,line=\d+(,col=\d+)?,title=[^,:]+::.*")
    unknown = sum(one.status is Status.UNKNOWN for one in run.current)
    lines = shown(github, run).split("\n")[:-1]
    assert len(lines) == len(found(run)) + unknown
    assert all(pattern.fullmatch(line) for line in lines)


def test_text_of_the_target_cannot_be_a_command_or_markup_of_github():
    (line,) = shown(github, hostile()).splitlines()
    assert line.endswith("::100%25 | a,b: <b>x</b>%0A::error::[link](http://x) `code`")
    row = github.summary(hostile()).splitlines()[-1]
    assert row.endswith(r"100% \| a,b: &lt;b>x&lt;/b> ::error::\[link\](http://x) \`code\` |")


def test_the_summary_is_bounded_and_says_how_many_there_are_more():
    many = tuple(replace(HOSTILE, subject=str(number), symptom="x" * 5_000) for number in range(150))
    text = github.summary(run_of((result("EMB001", *many),), chain=None))
    assert len(text) < 100_000
    assert "50 findings more." in text


# junit

CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"skipped", "error", "failure", "system-out"},
}
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors", "skipped"},
    "testsuite": {"name", "timestamp", "tests", "failures", "errors", "skipped"},
    "testcase": {"name", "classname", "time", "file", "line"},
    "skipped": {"message"},
    "error": {"message", "type"},
    "failure": {"message", "type"},
    "system-out": set(),
}


def junit_of(run: Run) -> ElementTree.Element:
    root = ElementTree.fromstring(shown(junit, run).encode())
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
    return root


@every_run
def test_junit_counts_what_it_holds_and_fails_where_the_gate_fails(run: Run):
    root = junit_of(run)
    failing = sum(fails_gate(one.severity, run.fail_on) for one in found(run))
    assert int(root.attrib["failures"]) == len(list(root.iter("failure"))) == failing
    assert int(root.attrib["tests"]) == len(list(root.iter("testcase")))
    assert int(root.attrib["errors"]) == sum(one.status is Status.UNKNOWN for one in run.current)


@few
@any_run
def test_junit_of_any_run_is_xml(run: Run):
    junit_of(run)


def test_what_no_xml_can_hold_is_replaced():
    root = junit_of(run_of((result("EMB001", replace(HOSTILE, symptom="a\x00\ufffe\x1bb")),), chain=None))
    assert [one.attrib["message"] for one in root.iter("failure")] == ["a\ufffd\ufffd\ufffdb"]


# prometheus


def samples(run: Run) -> dict[str, list[tuple[dict[str, str], float]]]:
    text = shown(prometheus, run)
    older = {family.name: family.samples for family in read_prometheus(text)}
    newer = {family.name: family.samples for family in read_openmetrics(text)}
    assert older == newer
    return {name: [(dict(one.labels), one.value) for one in family] for name, family in older.items()}


@every_run
def test_both_formats_of_prometheus_read_the_same(run: Run):
    found_samples = samples(run)
    assert found_samples["doctor_exit_code"] == [({}, float(exit_code(run)))]
    assert sum(value for _, value in found_samples["doctor_findings"]) == len(found(run))


@few
@any_run
def test_prometheus_reads_any_run(run: Run):
    unique = {one.code: one for one in run.current}
    samples(replace(run, before=tuple(unique.values()), after=None))


def test_what_was_measured_is_a_metric_whether_or_not_something_is_wrong():
    coverage = Observation("200 of 200", metrics=(Metric("embedding_coverage_ratio", 1.0, "column:a.b"),))
    left_out = Suppression(replace(HOSTILE, subject="recent"), "muted", "known")
    run = run_of((result("EMB001", HOSTILE, observations=(coverage,)),), chain=None, suppressions=(left_out,))
    assert samples(run)["doctor_embedding_coverage_ratio"] == [({"resource": "column:a.b"}, 1.0)]
    assert samples(run)["doctor_rows_without_vector"] == [({"resource": 'column:a"b\\c\nd'}, 14.0)]


# nagios

PLUGIN_OUTPUT = re.compile(r"DOCTOR (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \| (?:[a-z]+=\d+(\.\d+)?s?;;;0 ?)+\n")


@few
@any_run
def test_nagios_has_one_line_with_performance_data(run: Run):
    assert PLUGIN_OUTPUT.fullmatch(shown(nagios, run))


@pytest.mark.parametrize(
    "run, state",
    [
        (run_of(three_in_series()), 2),
        (RUNS["a check that could not tell"], 3),
        (RUNS["nothing to check"], 3),
        (run_of((result("CHN001", replace(stalled("scored"), severity=Severity.WARNING)),)), 1),
        (run_of((result("CHN001"),)), 0),
    ],
)
def test_nagios_has_the_exit_codes_of_its_protocol(run: Run, state: int):
    assert nagios.REPORT.exit_code is not None
    assert nagios.REPORT.exit_code(run) == state
