"""NULL vectors are told apart by age, and by whether they are due."""

from __future__ import annotations

import asyncio

import pytest

from doctor.commands.output import registry
from doctor.model import Applicability, Role, Status
from doctor.runner import run_checks
from doctor.target import Target

MESSAGE = (
    "INSERT INTO messages (external_id, chat_id, content, importance_score, topic_id, created_at) "
    "VALUES ('{name}', 1, '{content}', 0.5, {topic}, now() - interval '{age}')"
)
TOPIC = "INSERT INTO topics (chat_id, name) VALUES (1, 'a topic')"
DIMENSIONS = "(SELECT atttypmod FROM pg_attribute WHERE attrelid = 'messages'::regclass AND attname = 'embedding')"
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


ATOMS = (
    "INSERT INTO atoms (type, title, content, chat_id, created_at, embedding) "
    "SELECT '{kind}', 'title', 'content', 1, now() - interval '2 days' - n * interval '1 hour', {vector} "
    "FROM generate_series(1, {count}) AS n"
)
SOME_VECTOR = f"array_fill(1, ARRAY[{DIMENSIONS}])::vector"


def atoms(kind: str, count: int, vector: str = "NULL") -> str:
    return ATOMS.format(kind=kind, count=count, vector=vector)


def test_a_kind_of_row_that_never_gets_a_vector_is_named(execute, examine):
    execute(atoms("question", 4), atoms("problem", 5, SOME_VECTOR), atoms("insight", 6, SOME_VECTOR))
    (finding,) = examine("EMB001").findings
    assert finding.cause == "nothing embeds rows whose type is question"
    newest, kinds = (evidence.text for evidence in finding.evidence[1:])
    assert newest.startswith("the newest row with a vector is of 20")
    assert kinds == "no row of type question; all of insight, problem"


@pytest.mark.parametrize(
    "rows",
    [
        (atoms("question", 4), atoms("problem", 5)),
        (atoms("question", 2), atoms("problem", 5, SOME_VECTOR)),
        (atoms("question", 4), atoms("question", 1, SOME_VECTOR), atoms("problem", 5, SOME_VECTOR)),
    ],
    ids=["none has any", "too few to tell", "some of the kind have one"],
)
def test_without_a_clear_split_no_kind_is_blamed(execute, examine, rows):
    execute(*rows)
    (finding,) = examine("EMB001").findings
    assert finding.cause == "the rows were stored while nothing embedded them"


@pytest.fixture
def examine_database_alone(pipeline, tmp_path, monkeypatch):
    """Run the check, and what guards it, on a target that has the pipeline's database and nothing else."""
    monkeypatch.delenv("NATS_URL", raising=False)
    (tmp_path / ".env").write_text(f"DATABASE_URL={pipeline.environment()['DATABASE_URL']}\n")

    async def work():
        checks = registry().checks
        wanted = [checks[code] for code in ("PGS001", "NAT001", "NAT002", "EMB001")]
        async with Target.at(tmp_path) as target:
            return (await run_checks(wanted, target))[-1]

    return lambda: asyncio.run(work())


def test_old_rows_are_counted_without_a_queue_and_a_chain(execute, examine_database_alone):
    execute(message("old", "2 days"), message("recent", "1 minute"))
    result = examine_database_alone()
    assert result.status is Status.FAIL
    old = next(finding for finding in result.findings if finding.role is Role.DAMAGE)
    assert "1 of 2 rows of messages, older than 24 h, have no embedding" in old.symptom
    assert [option.applicability for option in old.fixes] == [Applicability.MANUAL]
    assert "doctor.toml" in old.fixes[0].title


def test_a_column_without_a_single_vector_is_told_without_a_queue(execute, examine_database_alone):
    execute(message("one", "1 minute"), message("two", "1 minute"))
    (finding,) = examine_database_alone().findings
    assert finding.role is Role.SYMPTOM
    assert "2 of 2 rows of messages" in finding.symptom


def test_recent_rows_beside_vectors_are_left_alone_without_a_queue(execute, examine_database_alone):
    execute(
        message("embedded", "1 minute"),
        f"UPDATE messages SET embedding = array_fill(0.5, ARRAY[{DIMENSIONS}])::vector",
        message("recent", "1 minute"),
    )
    result = examine_database_alone()
    assert result.status is Status.PASS
    assert "1 recent row without one may be under way: queue or chain unknown" in [o.text for o in result.observations]


def test_old_rows_are_counted_while_the_queue_is_down(execute, examine):
    execute(message("old", "2 days"))
    (finding,) = examine("EMB001", NATS_URL="nats://127.0.0.1:1").findings
    assert [option.fix for option in finding.fixes] == ["backfill-embeddings"]
