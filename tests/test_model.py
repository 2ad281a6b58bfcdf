"""What identifies a finding, what a secret shows, and which repair is offered."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.model import Applicability, Confidence, FixOption, Resource, Secret, Severity
from tests.example_runs import finding, repaired_run, stalled, task_hidden, three_in_series

TASK = "app.tasks.scoring.score_message_task"


def test_a_fingerprint_survives_moved_lines():
    assert task_hidden(TASK, "app/tasks.py", 16).fingerprint == task_hidden(TASK, "app/tasks.py", 400).fingerprint
    here = Resource("task", TASK, "app/tasks.py", 1, 1)
    there = Resource("task", TASK, "app/tasks.py", 90, 5)
    assert finding("TSK001", here).fingerprint == finding("TSK001", there).fingerprint


def test_a_fingerprint_survives_changed_counts_words_and_severity():
    few = stalled("scored", 12)
    many = replace(stalled("scored", 4000), severity=Severity.CRITICAL, cause="something else", stage="saved")
    assert few.symptom != many.symptom
    assert few.fingerprint == many.fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        {"code": "TSK900"},
        {"subject": "another"},
        {"resource": Resource("task", "app.tasks.other", "app/tasks.py", 16)},
        {"resource": Resource("agent", TASK, "app/tasks.py", 16)},
        {"resource": Resource("task", TASK, "app/moved.py", 16)},
        {"resource": Resource("task", TASK)},
    ],
    ids=lambda changed: ", ".join(f"{key}={value}" for key, value in changed.items())[:50],
)
def test_a_fingerprint_differs_by_code_resource_path_and_subject(changed: dict):
    found = finding("TSK001", Resource("task", TASK, "app/tasks.py", 16))
    assert replace(found, **changed).fingerprint != found.fingerprint


def test_a_fingerprint_is_the_same_in_every_release():
    assert finding("TSK001", Resource("task", TASK, "app/tasks.py", 16)).fingerprint == "8f9986ad0748"


@given(st.text(min_size=1))
def test_a_secret_never_shows(value: str):
    secret = Secret(f"<{value}>")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        f"{secret}",
        repr([secret]),
        repr({"a": secret}),
    ]
    for text in shown:
        assert f"<{value}>" not in text
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == f"<{value}>"


def test_secrets_are_compared_by_their_value_and_an_empty_one_is_false():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")
    assert Secret("0")
    assert pickle.loads(pickle.dumps(Secret("a"))) == Secret("a")


def test_severities_and_confidences_rise_in_the_order_in_which_they_are_written():
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert max(Severity, key=lambda severity: severity.rank) is Severity.CRITICAL
    assert [confidence.rank for confidence in Confidence] == [0, 1, 2, 3]


def test_a_location_is_what_an_editor_opens():
    assert Resource("task", TASK, "app/tasks.py", 16, 2).location == "app/tasks.py:16"
    assert Resource("module", "app.tasks", "app/tasks.py").location == "app/tasks.py"
    assert Resource("agent", "extractor").location is None


def option(name: str, *, recommended: bool = False) -> FixOption:
    return FixOption(name, name, Applicability.SAFE, "because", recommended=recommended)


def test_the_recommended_repair_is_the_marked_one_else_the_only_one():
    def offered(*options: FixOption) -> FixOption | None:
        return finding("TSK001", Resource("task", TASK), fixes=options).recommended_fix

    assert offered() is None
    assert offered(option("a")) == option("a")
    assert offered(option("a"), option("b")) is None
    assert offered(option("a"), option("b", recommended=True)) == option("b", recommended=True)


def test_a_run_finds_its_findings_before_and_after_the_repairs():
    run = repaired_run()
    assert run.findings == tuple(found for each in three_in_series() for found in each.findings)
    for found in run.findings:
        assert run.finding(found.fingerprint) == found
    assert run.current == run.after
    assert replace(run, after=None).current == run.before
    with pytest.raises(KeyError):
        run.finding("000000000000")


def test_a_finding_that_appears_only_after_the_repairs_is_found_too():
    new = finding("NEW001", Resource("task", "new"))
    run = repaired_run()
    assert run.after is not None
    later = replace(run.after[0], findings=(new,))
    assert replace(run, after=(later,)).finding(new.fingerprint) == new
