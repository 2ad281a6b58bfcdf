"""Whether an index is needed depends on the rows, and whether there is one on more than its name."""

from __future__ import annotations

import pytest

from doctor.model import Role, Severity, Status

INDEX = "CREATE INDEX made_here ON atoms USING hnsw (embedding vector_cosine_ops)"


@pytest.fixture
def dropped(execute):
    yield
    execute("DROP INDEX IF EXISTS made_here")


def of_atoms(result):
    return [finding for finding in result.findings if finding.resource.id == "public.atoms.embedding"]


def test_a_small_table_needs_none(examine):
    result = examine("VEC001")
    assert result.status is Status.FAIL
    assert {(finding.severity, finding.role) for finding in result.findings} == {(Severity.INFO, Role.ADVICE)}


def test_a_valid_index_is_silent(execute, examine, dropped):
    execute(INDEX)
    assert of_atoms(examine("VEC001")) == []


def test_an_invalid_index_is_an_error_and_is_replaced(execute, examine, dropped):
    execute(INDEX, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'made_here'::regclass")
    (finding,) = of_atoms(examine("VEC001"))
    assert (finding.severity, finding.role) == (Severity.ERROR, Role.CAUSE)
    assert "index made_here is invalid" in finding.symptom
    assert finding.fixes[0].arguments["replaces"] == "public.made_here"


@pytest.mark.parametrize("ready", [True, False])
def test_an_invalid_index_that_is_ready_slows_every_write(execute, examine, dropped, ready):
    where = "WHERE indexrelid = 'made_here'::regclass"
    execute(INDEX, f"UPDATE pg_index SET indisvalid = false, indisready = {ready} {where}")
    (finding,) = of_atoms(examine("VEC001"))
    assert ("each write maintains the invalid index" in finding.impacts) is ready


def test_a_btree_is_no_vector_index(execute, examine, dropped):
    execute("CREATE INDEX made_here ON atoms USING btree (embedding)")
    (finding,) = of_atoms(examine("VEC001"))
    assert "no index on atoms.embedding" in finding.symptom
