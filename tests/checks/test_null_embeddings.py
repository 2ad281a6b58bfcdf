"""NULL vectors are told apart by age, and by whether they are due."""

from __future__ import annotations

from doctor.model import Role, Status

MESSAGE = (
    "INSERT INTO messages (external_id, chat_id, content, importance_score, topic_id, created_at) "
    "VALUES ('{name}', 1, '{content}', 0.5, {topic}, now() - interval '{age}')"
)
TOPIC = "INSERT INTO topics (chat_id, name) VALUES (1, 'a topic')"
ITS_KEY = "(SELECT max(id) FROM topics)"


def message(name: str, age: str, content: str = "words", topic: str = "NULL") -> str:
    return MESSAGE.format(name=name, age=age, content=content, topic=topic)


def test_old_rows_are_left_over_damage_with_a_backfill(execute, examine):
    execute(message("old 1", "2 days"), message("old 2", "3 days"))
    (finding,) = examine("EMB001").findings
    assert finding.role is Role.DAMAGE
    assert "2 of 2 rows of messages, older than 24 h, have no embedding" in finding.symptom
    assert [option.fix for option in finding.fixes] == ["backfill-embeddings"]


def test_a_recent_row_that_waits_for_its_topic_is_not_late(execute, examine):
    execute(message("waits", "1 minute"))
    assert examine("EMB001").status is Status.PASS


def test_a_recent_row_that_has_passed_every_stage_before_is_late(execute, examine):
    execute(TOPIC, message("late", "1 minute", topic=ITS_KEY))
    (finding,) = examine("EMB001").findings
    assert finding.role is Role.SYMPTOM
    assert finding.stage == "embedded"
    assert finding.fixes == ()


def test_a_row_without_text_needs_no_vector(execute, examine):
    execute(message("empty", "2 days", content="   "))
    assert examine("EMB001").status is Status.PASS
