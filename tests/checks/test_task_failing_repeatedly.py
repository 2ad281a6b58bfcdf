"""A task that fails every time is found where no dead letters tell; one that has recovered is not."""

from __future__ import annotations

import pytest

from doctor.model import Role, Severity, Status

RUN = (
    "INSERT INTO task_executions (task, status, attempts, error, started_at, finished_at) "
    "SELECT '{task}', '{status}', 3, 'boom ' || n, now(), now() - n * interval '1 minute' - interval '{age}' "
    "FROM generate_series(1, {count}) AS n"
)
TASK = "app.tasks.embedding:embed_messages_batch_task"


@pytest.fixture
def without_letters(pipeline):
    """Take the table of dead letters out of doctor.toml for the test."""
    file = pipeline.layout.doctor_toml
    whole = file.read_text(encoding="utf-8")
    kept = [line for line in whole.splitlines(keepends=True) if not line.startswith("failed_tasks_table")]
    file.write_text("".join(kept), encoding="utf-8")
    yield
    file.write_text(whole, encoding="utf-8")


@pytest.fixture(autouse=True)
def _no_executions(execute):
    execute("TRUNCATE task_executions")


def runs(count: int, status: str = "failed", *, age: str = "0 minutes", task: str = TASK) -> str:
    return RUN.format(task=task, status=status, count=count, age=age)


def test_three_failures_in_a_row_are_a_finding(execute, examine, without_letters):
    execute(runs(3), runs(5, "succeeded", age="1 hour"))
    (finding,) = examine("CHN004").findings
    assert f"the last 3 executions of `{TASK}` failed; newest: boom 1" in finding.symptom
    assert (finding.severity, finding.role) == (Severity.WARNING, Role.SYMPTOM)


def test_a_task_that_has_never_succeeded_counts(execute, examine, without_letters):
    execute(runs(4))
    (finding,) = examine("CHN004").findings
    assert "the last 4 executions" in finding.symptom


@pytest.mark.parametrize(
    "statements",
    [
        (runs(2),),
        (runs(9, age="10 minutes"), runs(1, "succeeded")),
        (runs(2), runs(1, "succeeded", age="5 minutes"), runs(9, age="10 minutes")),
        (runs(9, age="2 days"),),
        (runs(2), runs(2, task="app:other")),
    ],
)
def test_too_few_recovered_or_old_failures_are_none(execute, examine, without_letters, statements):
    execute(*statements)
    assert examine("CHN004").status is Status.PASS


def test_where_there_are_dead_letters_they_tell(execute, examine):
    execute(runs(3))
    result = examine("CHN004")
    assert result.status is Status.PASS
    assert [one.text for one in result.observations] == ["failed work is in the dead-letter table"]


def test_a_password_in_an_error_is_not_shown(execute, examine, without_letters):
    execute(runs(3).replace("'boom '", "'postgresql://app:hunter2-planted@db/x '"))
    result = examine("CHN004")
    assert result.findings
    assert "hunter2-planted" not in repr(result)
