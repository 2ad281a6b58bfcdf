"""What changed between two runs: nothing that went, came or says something else is left out."""

from __future__ import annotations

import re
from dataclasses import replace

from doctor.model import Confidence, Run, Severity
from doctor.report import Presentation
from doctor.reports.markdown import render_difference
from tests.example_runs import (
    agent_inactive,
    enqueue_swallowed,
    healthy,
    repaired_run,
    result,
    run_of,
    stalled,
    three_in_series,
)


def told(before: Run, after: Run) -> str:
    return render_difference(before, after, Presentation())


def rows(document: str, heading: str) -> list[list[str]]:
    section = document.partition(f"\n## {heading}\n\n")[2].partition("\n\n")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_a_run_and_itself_differ_in_nothing():
    document = told(run_of(three_in_series()), run_of(three_in_series()))
    assert "**0 findings gone, 0 new, 8 still there**" in document
    assert "## Checks" not in document
    assert "## Around it" not in document
    assert {row[2] for row in rows(document, "Root causes")} == {"still there"}


def test_two_runs_without_findings_say_so():
    assert "**nothing was found, then or now**" in told(run_of(()), run_of(()))


def test_a_cause_that_went_and_one_that_came_are_told_apart():
    agent = result("AGT001", agent_inactive())
    before = run_of((agent, result("CHN001", stalled("extracted"))))
    after = run_of((*three_in_series()[3:],))
    changes = {row[0]: row[2] for row in rows(told(before, after), "Root causes")}
    assert changes == {
        "TSK001 task-decorator-order": "**new**",
        "MOD001 model-not-available": "**new**",
        "AGT001 agent-config-missing": "gone",
    }


def test_a_cause_that_was_repaired_in_a_run_is_told_from_one_that_is_still_there_or_came_back():
    sick, repaired, well = run_of(three_in_series()), repaired_run(), run_of(healthy())
    expected = {
        "repaired in the second run": (sick, repaired),
        "**came back after its repair**": (repaired, sick),
        "gone": (sick, well),
        "gone, as the first run left it": (repaired, well),
        "still there": (sick, sick),
    }
    for change, (before, after) in expected.items():
        assert {row[2] for row in rows(told(before, after), "Root causes")} == {change}


def test_a_cause_of_which_the_diagnosis_is_surer_now_says_so():
    before = run_of((result("AGT001", agent_inactive()),))
    (root,) = before.diagnosis.roots
    surer = replace(before.diagnosis, roots=(replace(root, confidence=Confidence.CONFIRMED),))
    (row,) = rows(told(before, replace(before, diagnosis=surer)), "Root causes")
    assert row[2] == f"still there; confidence {root.confidence}, then confirmed"


def test_a_finding_that_is_graver_moved_or_told_otherwise_stands_with_both():
    found = enqueue_swallowed()
    graver = replace(found, severity=Severity.ERROR)
    moved = replace(found, resource=replace(found.resource, line=99))
    other = replace(found, symptom="now two lines are left")
    for now, change in (
        (graver, "warning, now error"),
        (moved, "was at app/messages.py:40"),
        (other, "says something else"),
    ):
        (row,) = rows(told(run_of((result("TSK002", found),)), run_of((result("TSK002", now),))), "Findings")
        assert row[1:] == [render(found.symptom), render(now.symptom), change]


def render(text: str) -> str:
    from doctor.reports.markdown import escape

    return escape(text)


def test_findings_are_compared_as_each_run_left_them():
    document = told(run_of(three_in_series()), repaired_run())
    assert "7 findings gone, 0 new, 1 still there" in document
    assert {row[3] for row in rows(document, "Findings")} == {"gone"}


def test_a_check_that_answers_otherwise_and_one_that_was_not_asked_are_named():
    table = {row[0]: row[1:] for row in rows(told(run_of(three_in_series()[1:]), run_of(healthy())), "Checks")}
    assert table["CHN001 chain-stalled"] == ["fail", "pass"]
    assert table["AGT001 agent-config-missing"] == ["not asked", "pass"]


def test_versions_configuration_and_places_that_differ_are_named():
    before = run_of(healthy())
    after = replace(before, versions={**before.versions, "database": "19.0"}, configuration_fingerprint="")
    assert rows(told(before, after), "Around it") == [
        ["version of database", "18.0", "19.0"],
        ["configuration", "`0123456789ab`", "`none`"],
    ]


def test_two_targets_are_not_compared_silently():
    other = run_of(healthy())
    other = replace(other, target=replace(other.target, name="frontend"))
    assert "These are two targets: backend, then frontend." in told(run_of(healthy()), other)
