"""A column that cannot take the model's vectors is found, with the way out that its content allows."""

from __future__ import annotations

import pytest

from doctor.model import Applicability, Severity, Status


@pytest.fixture
def wide(execute):
    """Give messages a column for 1,536 dimensions, and its own one again at the end."""
    retyped = "ALTER TABLE messages ALTER COLUMN embedding TYPE vector({})"
    execute(retyped.format(1536))
    yield
    execute("TRUNCATE messages CASCADE", retyped.format(768))


def test_the_healthy_pipeline_fits(examine):
    result = examine("EMB002")
    assert result.status is Status.PASS
    assert result.observations[0].text == "`nomic-embed-text` gives 768 dimensions"


def test_an_empty_column_may_get_another_type(wide, examine):
    (finding,) = examine("EMB002").findings
    who = "`nomic-embed-text` and `EMBEDDING_DIMENSIONS=768` mean"
    assert finding.symptom == f"messages.embedding takes 1536 dimensions, {who} 768"
    assert (finding.severity, finding.stage) == (Severity.ERROR, "embedded")
    option = finding.fixes[0]
    assert (option.fix, option.applicability) == ("retype-vector-column", Applicability.UNSAFE)
    assert option.arguments == {"table": "public.messages", "column": "embedding", "dimensions": 768}


def test_without_agreement_on_the_number_a_person_decides(wide, examine):
    by_model, by_number, _ = examine("EMB002", EMBEDDING_DIMENSIONS="1024").findings
    assert by_model.fixes[0].applicability is by_number.fixes[0].applicability is Applicability.MANUAL
    assert "ALTER TABLE public.messages ALTER COLUMN embedding TYPE vector(768);" in by_model.fixes[0].code


def test_vectors_that_are_there_get_a_column_beside_them(wide, execute, examine):
    execute(
        "INSERT INTO messages (external_id, chat_id, content, embedding) "
        "VALUES ('1:1', 1, 'text', array_fill(1, ARRAY[1536])::vector)"
    )
    option = examine("EMB002").findings[0].fixes[0]
    assert "ADD COLUMN embedding_768 vector(768);" in option.code
    assert "USING NULL" not in option.code


def test_a_number_that_only_the_configuration_has_is_found(examine):
    found = examine("EMB002", EMBEDDING_DIMENSIONS="1024").findings
    assert {finding.subject for finding in found} == {"EMBEDDING_DIMENSIONS=1024"}
    assert len(found) == 2  # messages and atoms


def test_a_longer_model_that_may_be_asked_for_less_is_a_warning(execute, examine):
    shorter = "ALTER TABLE {} ALTER COLUMN embedding TYPE vector({})"
    execute(*(shorter.format(table, 512) for table in ("messages", "atoms")))
    try:
        found = examine("EMB002", EMBEDDING_DIMENSIONS="512").findings
    finally:
        execute(*(shorter.format(table, 768) for table in ("messages", "atoms")))
    assert {finding.severity for finding in found} == {Severity.WARNING}
    assert all("only if the application asks for fewer" in finding.symptom for finding in found)


def test_a_column_of_another_model_is_its_own_affair(execute, examine):
    execute("CREATE TABLE made_here (id int, embedding vector(384))")
    try:
        assert examine("EMB002").status is Status.PASS
    finally:
        execute("DROP TABLE made_here")


@pytest.mark.parametrize("model", ["not-there", "qwen3:8b"])
def test_a_model_that_is_not_there_or_cannot_embed_is_left_to_another_check(examine, model):
    assert examine("EMB002", OLLAMA_EMBEDDING_MODEL=model).status is Status.PASS


@pytest.fixture
def unbounded(execute):
    execute(
        "CREATE TABLE made_here (id int, embedding vector, small halfvec, sparse sparsevec)",
        "INSERT INTO made_here SELECT n, array_fill(1, ARRAY[3])::vector FROM generate_series(1, 5) AS n",
    )
    yield
    execute("DROP TABLE made_here")


def test_a_column_without_a_number_that_holds_two_lengths_is_an_error(unbounded, execute, examine):
    execute("INSERT INTO made_here VALUES (6, '[1,2]')")
    (finding,) = examine("EMB002").findings
    assert finding.symptom == "made_here.embedding holds vectors of 2 lengths: 5 of 3, 1 of 2"
    assert finding.severity is Severity.ERROR
    assert "ALTER COLUMN embedding TYPE vector(3);" in finding.fixes[0].code


def test_a_column_without_a_number_that_holds_one_length_is_silent(unbounded, examine):
    assert examine("EMB002").status is Status.PASS


def test_lengths_that_the_role_may_not_read_are_not_healthy(unbounded, execute, examine, pipeline):
    execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    scheme, _, rest = pipeline.environment()["DATABASE_URL"].partition("//")
    try:
        result = examine("EMB002", DATABASE_URL=f"{scheme}//reader:reader@{rest.rpartition('@')[2]}")
    finally:
        execute("DROP ROLE reader")
    assert result.status is Status.UNKNOWN
    assert "the role may not read vectors without a number of dimensions: public.made_here" in result.reason
