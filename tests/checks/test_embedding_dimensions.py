"""A column that cannot take the model's vectors is found, with the way out that its content allows."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from doctor.commands.output import registry
from doctor.model import Applicability, Severity, Status
from doctor.pipeline.sandbox.models.application import build_application
from doctor.runner import run_checks
from doctor.target import Target
from tests.serving import serving


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


@pytest.mark.symptom("10a")
def test_an_empty_column_may_get_another_type(wide, execute, examine, told):
    with pytest.raises(psycopg.DataError, match="expected 1536 dimensions, not 768"):
        execute(
            "INSERT INTO messages (external_id, chat_id, content, embedding) "
            "VALUES ('1:1', 1, 'text', array_fill(1, ARRAY[768])::vector)"
        )
    result = examine("EMB002")
    told([result])
    (finding,) = result.findings
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
    assert 'ADD COLUMN "embedding_768" vector(768);' in option.code
    assert "USING NULL" not in option.code


@pytest.mark.symptom("10b")
@pytest.mark.variation("10a", "EMB002")
def test_a_number_that_only_the_configuration_has_is_found(examine, told):
    result = examine("EMB002", EMBEDDING_DIMENSIONS="1024")
    told([result])
    found = result.findings
    assert {finding.subject for finding in found} == {"EMBEDDING_DIMENSIONS=1024"}
    assert len(found) == 2  # messages and atoms


@pytest.mark.symptom("10c")
@pytest.mark.variation("10b", "EMB002")
def test_a_model_of_another_length_than_column_and_number_is_found(examine, told):
    with serving(build_application(["mxbai-embed-large"])) as url:
        told([examine("EMB002", OLLAMA_HOST=url, OLLAMA_EMBEDDING_MODEL="mxbai-embed-large")])


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
def examine_source(pipeline, execute, tmp_path, monkeypatch):
    """Run the check on the pipeline's database, with a table of notes beside, and on a source of one file."""
    for name in ("EMBEDDING_DIMENSIONS", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    execute("CREATE TABLE made_here (id int, vec vector(384))")

    def run(code, *variables):
        (tmp_path / "app.py").write_text(code)
        lines = [f"DATABASE_URL={pipeline.environment()['DATABASE_URL']}", *variables]
        (tmp_path / ".env").write_text("\n".join(lines))

        async def work():
            checks = registry().checks
            async with Target.at(tmp_path, keeps_facts=False) as target:
                return (await run_checks([checks["PGS001"], checks["EMB002"]], target))[-1]

        return {(finding.resource.id, finding.symptom) for finding in asyncio.run(work()).findings}

    yield run
    execute("DROP TABLE made_here")


MODEL = """\
from pgvector.sqlalchemy import Vector

SIZE = 1536


class Note(Base):
    __tablename__ = "made_here"
    embedding = mapped_column("vec", Vector({}))
"""
SAID = "takes 384 dimensions, `app.py:{}` means {}"
DEFAULT = 'import os\n\nSIZE = int(os.getenv("EMBEDDING_DIM", "{}"))\n'


def test_a_mapped_class_that_declares_another_number_is_told_of_its_own_column(examine_source):
    found = examine_source(MODEL.format("SIZE"))
    assert found == {("public.made_here.vec", f"made_here.vec {SAID.format(6, 1536)}")}


def test_a_mapped_class_that_fits_is_silent(examine_source):
    assert examine_source(MODEL.format(384)) == set()


@pytest.mark.parametrize(("code", "line"), [("\nEMBEDDING_DIMENSIONS: int = 1024\n", 2), (DEFAULT.format(1024), 3)])
def test_a_number_of_the_code_that_no_column_has_is_told_of_each(examine_source, code, line):
    found = examine_source(code)
    assert len(found) == 3
    assert ("public.made_here.vec", f"made_here.vec {SAID.format(line, 1024)}") in found


def test_a_default_does_not_count_where_its_variable_is_set(examine_source):
    assert examine_source(DEFAULT.format(1024), "EMBEDDING_DIM=768") == set()


def test_places_of_the_code_that_differ_say_nothing(examine_source):
    assert examine_source("EMBEDDING_DIM = 1024\nVECTOR_SIZE = 512\n") == set()


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
