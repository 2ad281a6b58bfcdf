"""Rows that wait although they need not, and rows that may."""

from __future__ import annotations

from doctor.model import Role, Status

ROWS = (
    "INSERT INTO messages (external_id, chat_id, content, importance_score, created_at) "
    "SELECT '{chat}:' || n, {chat}, 'text', {score}, now() - interval '{age}' FROM generate_series(1, {count}) AS n"
)


def rows(count: int, score: str, *, chat: int = 1, age: str = "1 minute") -> str:
    return ROWS.format(count=count, score=score, chat=chat, age=age)


def test_one_unscored_message_is_stalled_when_nothing_is_under_way(execute, examine):
    execute(rows(1, "NULL"))
    (finding,) = examine("CHN001").findings
    assert finding.role is Role.SYMPTOM
    assert finding.stage == "scored"
    assert "1 row reached `scored` in the last 24 h, 0 passed it, 1 is stuck" in finding.symptom
    assert finding.fixes[0].arguments == {"stage": "scored", "source": "scored"}


def test_messages_below_the_threshold_wait_by_design(execute, examine):
    execute(rows(9, "0.5"), rows(9, "0.5", chat=2))
    assert examine("CHN001").status is Status.PASS


def test_messages_of_one_chat_at_the_threshold_are_stalled(execute, examine):
    execute(rows(10, "0.5"), rows(9, "0.5", chat=2))
    (finding,) = examine("CHN001").findings
    assert finding.stage == "extracted"
    assert "10 are stuck" in finding.symptom
    assert finding.fixes[0].arguments == {"stage": "extracted", "source": "scored"}


def test_messages_that_an_extraction_took_without_a_topic_have_passed(execute, examine):
    execute(
        rows(10, "0.5"),
        "INSERT INTO extractions (chat_id, message_ids, claimed_by, lease_expires_at, status) "
        "VALUES (1, '{}', 'a test', now(), 'completed')",
        "UPDATE messages SET extraction_id = (SELECT id FROM extractions)",
    )
    assert examine("CHN001").status is Status.PASS


def test_messages_older_than_the_look_back_are_history(execute, examine):
    execute(rows(20, "NULL", age="25 hours"))
    assert examine("CHN001").status is Status.PASS
