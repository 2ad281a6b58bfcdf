"""Dead letters are grouped by task; old ones are history."""

from __future__ import annotations

from doctor.model import Role, Severity, Status

LETTER = (
    "INSERT INTO failed_tasks (task, arguments, error, attempts, failed_at) "
    "SELECT '{task}', jsonb_build_object('n', n), '{error} ' || n, 3, now() - n * interval '{apart}' "
    "FROM generate_series(1, {count}) AS n"
)
SCORING = "app.tasks.scoring:score_message_task"


def test_recent_dead_letters_of_a_task_are_one_finding_with_the_newest_error(execute, examine):
    execute(
        LETTER.format(task=SCORING, error="boom", apart="1 minute", count=4),
        LETTER.format(task="app.other:task", error="bang", apart="1 minute", count=1),
    )
    first, second = examine("CHN002").findings
    assert "failed for good 1 time; newest: bang 1" in first.symptom
    assert "failed for good 4 times; newest: boom 1" in second.symptom
    assert "the task fails again and again" in second.impacts
    assert {(finding.role, finding.severity) for finding in (first, second)} == {(Role.SYMPTOM, Severity.WARNING)}


def test_dead_letters_beyond_the_look_back_are_not_reported(execute, examine):
    execute(LETTER.format(task=SCORING, error="boom", apart="2 days", count=3))
    assert examine("CHN002").status is Status.PASS


def test_a_password_in_an_error_is_not_shown(execute, examine):
    execute(LETTER.format(task=SCORING, error="postgresql://app:hunter2-planted@db/x", apart="1 minute", count=1))
    assert "hunter2-planted" not in repr(examine("CHN002"))
