"""SARIF keeps to the standard and to what GitHub demands of it, whatever was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from doctor.model import Applicability, Repair, RepairStatus, Run, Suppression, SuppressionKind
from doctor.report import Presentation
from doctor.reports.sarif import REPORT
from doctor.verdict import exit_code
from tests.example_runs import SCORE, run_of, task_hidden, three_in_series
from tests.reports.sarif_shape import Log, Result
from tests.reports.test_json_document import RUNS
from tests.strategies import runs


def parsed(run: Run) -> Log:
    return Log.model_validate_json(REPORT.render(run, Presentation()))


def results(run: Run) -> list[Result]:
    return parsed(run).runs[0].results


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_log_keeps_to_the_standard(run: Run):
    log = parsed(run).runs[0]
    assert log.invocations[0].exitCode == int(exit_code(run))
    assert [log.tool.driver.rules[one.ruleIndex].id for one in log.results] == [one.ruleId for one in log.results]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(runs)
def test_the_log_of_any_run_has_a_place_for_every_result(run: Run):
    found = [finding for result in run.current for finding in result.findings]
    unknown = [result for result in run.current if result.status == "unknown"]
    assert len(results(run)) == len(found) + len(unknown) + len(run.suppressions)


def test_what_could_not_be_told_is_a_result_and_a_notification():
    log = parsed(RUNS["a check that could not tell"]).runs[0]
    assert [one.message.text for one in log.results if one.ruleId == "DOC001"] == [
        "DOC001 could not tell: plugin x: ValueError: no"
    ]
    assert [one.associatedRule.id for one in log.invocations[0].toolExecutionNotifications] == ["DOC001"]
    assert not log.invocations[0].executionSuccessful


def test_a_path_with_spaces_and_letters_is_a_uri():
    hidden = task_hidden(SCORE, "app/été und mehr.py")
    run = run_of((replace(three_in_series()[6], findings=(hidden,)),))
    assert results(run)[0].locations[0].physicalLocation.artifactLocation.uri == "app/%C3%A9t%C3%A9%20und%20mehr.py"


@pytest.mark.parametrize("path", ["", "/"])
def test_a_finding_of_no_file_is_shown_where_the_configuration_would_stand(path: str):
    run = run_of((replace(three_in_series()[6], findings=(task_hidden(SCORE, path),)),))
    assert results(run)[0].locations[0].physicalLocation.artifactLocation.uri == "doctor.toml"


def test_what_was_left_out_is_a_suppressed_result():
    hidden = task_hidden(SCORE, "app/a.py")
    run = run_of((), suppressions=(Suppression(hidden, "baseline", "known", kind=SuppressionKind.BASELINE),))
    assert [(one.kind, one.justification) for one in results(run)[0].suppressions] == [("external", "baseline: known")]


DIFF = """\
--- a/app/tasks/scoring.py
+++ b/app/tasks/scoring.py
@@ -1,3 +1,4 @@
+import broker
 one
-two
+zwei
+drei
 three
@@ -15,3 +16,2 @@
 before
-@outer
 after
"""
BEFORE = ["one", "two", "three", *(f"line {number}" for number in range(4, 15)), "before", "@outer", "after"]
AFTER = ["import broker", "one", "zwei", "drei", *BEFORE[2:14], "before", "after"]


def test_a_planned_change_is_a_fix_that_makes_the_new_file_of_the_old(tmp_path: Path):
    hidden = task_hidden(SCORE, "app/tasks/scoring.py")
    planned = Repair(
        "swap-decorators",
        "TSK001",
        hidden.fingerprint,
        "move it",
        Applicability.SAFE,
        RepairStatus.PLANNED,
        DIFF,
        "2 lines",
    )
    run = run_of((replace(three_in_series()[6], findings=(hidden,)),), repairs=(planned,))
    run = replace(run, target=replace(run.target, repository_path="services", source_path="back end"))
    (fix,) = results(run)[0].fixes or []
    (change,) = fix.artifactChanges
    assert change.artifactLocation.uri == "services/back%20end/app/tasks/scoring.py"
    lines = [f"{line}\n" for line in BEFORE]
    for one in reversed(change.replacements):
        inserted = one.insertedContent["text"] if isinstance(one.insertedContent, dict) else one.insertedContent.text
        end = one.deletedRegion.endLine
        assert end is not None
        lines[one.deletedRegion.startLine - 1 : end - 1] = [inserted]
    assert "".join(lines) == "".join(f"{line}\n" for line in AFTER)


def test_a_planned_statement_is_no_fix_of_a_file():
    hidden = task_hidden(SCORE, "app/tasks/scoring.py")
    planned = Repair(
        "x", "TSK001", hidden.fingerprint, "t", Applicability.SAFE, RepairStatus.PLANNED, "UPDATE a SET b = 1;\n", "x"
    )
    assert results(run_of((replace(three_in_series()[6], findings=(hidden,)),), repairs=(planned,)))[0].fixes is None
