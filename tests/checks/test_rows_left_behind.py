"""What is older than the look-back and never passed a stage is told from what waits, has passed, or is too few."""

from __future__ import annotations

from doctor.model import Role, Severity, Status
from tests.checks.test_chain_stalled import rows


def test_old_rows_without_a_score_are_left_behind(execute, examine):
    execute(rows(20, "NULL", age="25 hours"), rows(3, "NULL", chat=2))
    (finding,) = examine("CHN003").findings
    assert finding.symptom == "20 rows of messages, older than 24 h, never passed `scored`"
    assert (finding.severity, finding.role) == (Severity.WARNING, Role.DAMAGE)
    assert "score_message_task" in finding.fixes[0].title


def test_old_groups_below_the_threshold_waited_by_design(execute, examine):
    execute(rows(10, "0.5", age="2 days"), rows(9, "0.5", chat=2, age="2 days"))
    left, small = examine("CHN003").findings
    assert left.symptom == "10 rows of messages, older than 24 h, never passed `extracted`"
    assert small.symptom == (
        "9 rows of messages, older than 24 h, never passed `extracted`, in groups that never reached the threshold"
    )
    assert (small.severity, small.role) == (Severity.INFO, Role.ADVICE)


def test_old_rows_that_a_batch_took_have_passed(execute, examine):
    execute(
        rows(10, "0.5", age="2 days"),
        "INSERT INTO extractions (chat_id, message_ids, claimed_by, lease_expires_at, status) "
        "VALUES (1, '{}', 'a test', now(), 'completed')",
        "UPDATE messages SET extraction_id = (SELECT id FROM extractions)",
    )
    assert examine("CHN003").status is Status.PASS


def test_recent_rows_and_an_empty_table_are_no_damage(execute, examine):
    assert examine("CHN003").status is Status.PASS
    execute(rows(20, "NULL"), rows(20, "0.5", chat=2))
    assert examine("CHN003").status is Status.PASS
