"""Whether an index is needed depends on the rows, and whether there is one on more than its name."""

from __future__ import annotations

import re

import pytest

from doctor.checks import vector_index_missing
from doctor.index_definition import operator_class
from doctor.index_planning import not_indexable
from doctor.model import Applicability, Role, Severity, Status
from doctor.resources.catalog import VectorColumn

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
    assert (finding.fixes[0].fix, finding.fixes[0].arguments["index"]) == ("rebuild-vector-index", "public.made_here")


@pytest.mark.parametrize("ready", [True, False])
def test_an_invalid_index_that_is_ready_slows_every_write(execute, examine, dropped, ready):
    where = "WHERE indexrelid = 'made_here'::regclass"
    execute(INDEX, f"UPDATE pg_index SET indisvalid = false, indisready = {ready} {where}")
    (finding,) = of_atoms(examine("VEC001"))
    assert ("each write maintains the invalid index" in finding.impacts) is ready


def test_the_distance_is_the_one_that_the_code_orders_by(examine):
    (finding,) = of_atoms(examine("VEC001"))
    assert finding.fixes[0].arguments["operator"] == "<=>"


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("vector(3072)", r"index \(\(embedding::halfvec\(3072\)\) halfvec_cosine_ops\)"),
        ("vector", "give the column's type one first"),
        ("sparsevec(20)", "HNSW holds up to 1,000 elements of a sparsevec"),
    ],
)
def test_what_hnsw_does_not_hold_is_for_a_person(execute, examine, kind, how):
    execute(f"CREATE TABLE odd_here (id int, embedding {kind})")
    execute("INSERT INTO odd_here SELECT n, NULL FROM generate_series(1, 5000) AS n")
    try:
        (finding,) = [one for one in examine("VEC001").findings if one.resource.id == "public.odd_here.embedding"]
    finally:
        execute("DROP TABLE odd_here")
    assert finding.fixes[0].applicability is Applicability.MANUAL
    assert re.search(how, finding.fixes[0].title)


@pytest.mark.parametrize("operator", ["<=>", "<->", "<#>", "<+>"])
def test_the_advised_class_is_for_the_distance_of_the_code(operator):
    column = VectorColumn(
        "public", "odd", "e", "vector", 3072, False, False, False, 9000, False, 0, 0, 0, True, False, ("id",), ()
    )
    assert operator_class("halfvec", operator) in (not_indexable(column, operator) or "")


PARTED = """
    CREATE TABLE parted (id int, embedding vector(4)) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10000);
    CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10000) TO (20000);
    INSERT INTO parted SELECT n, '[1,2,3,4]' FROM generate_series(1, 10500) AS n;
"""


@pytest.fixture
def parted(execute):
    execute(PARTED)
    yield
    execute("DROP TABLE parted")


def of_parted(result):
    return [finding for finding in result.findings if finding.resource.id.startswith("public.parted")]


def test_a_partition_without_the_index_of_the_others_is_found(execute, examine, parted):
    execute("CREATE INDEX ON parted_2 USING hnsw (embedding vector_cosine_ops)")
    (finding,) = of_parted(examine("VEC001"))
    assert "no index on 1 partition of 2 of parted.embedding with about 9,999 rows" in finding.symptom
    assert finding.fixes[0].arguments["partitions"] == ["public.parted_1"]


def test_partitions_that_all_have_an_index_need_none_as_a_whole(execute, examine, parted):
    for part in ("parted_1", "parted_2"):
        execute(f"CREATE INDEX ON {part} USING hnsw (embedding vector_cosine_ops)")
    execute("CREATE INDEX waits ON ONLY parted USING hnsw (embedding vector_l2_ops)")
    assert of_parted(examine("VEC001")) == []


def test_small_partitions_do_not_hide_that_the_large_ones_are_repaired(execute, examine, parted):
    (before,) = of_parted(examine("VEC001"))
    assert before.fixes[0].arguments["partitions"] == ["public.parted_1"]
    execute("CREATE INDEX ON parted_1 USING hnsw (embedding vector_cosine_ops)")
    (after,) = of_parted(examine("VEC001"))
    assert after.severity is Severity.INFO
    assert after.fingerprint != before.fingerprint


def test_an_invalid_index_of_a_partition_is_an_error(execute, examine, parted):
    execute("CREATE INDEX half ON parted_2 USING hnsw (embedding vector_cosine_ops)")
    execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass")
    severities = {finding.resource.id: finding.severity for finding in of_parted(examine("VEC001"))}
    assert severities == {
        "public.parted.embedding": Severity.WARNING,
        "public.parted_2.embedding": Severity.ERROR,
    }


@pytest.mark.parametrize("sampled", [1 << 20, 1 << 30])
def test_the_rows_of_a_large_table_that_was_never_analysed_are_estimated(execute, examine, monkeypatch, sampled):
    """A restored table, with the limits of one of gigabytes brought down to it."""
    monkeypatch.setattr(vector_index_missing, "COUNTED_UP_TO", 1 << 20)
    monkeypatch.setattr(vector_index_missing, "SAMPLED", sampled)
    execute(
        "CREATE TABLE restored (id int, embedding vector(4)) WITH (autovacuum_enabled = off)",
        "INSERT INTO restored SELECT n, '[1,2,3,4]' FROM generate_series(1, 60000) AS n",
    )
    try:
        (finding,) = [one for one in examine("VEC001").findings if one.resource.id == "public.restored.embedding"]
    finally:
        execute("DROP TABLE restored")
    about = re.search(r"no index on restored\.embedding with about ([\d,]+) rows", finding.symptom)
    assert about is not None
    assert 30_000 < int(about[1].replace(",", "")) < 90_000
    assert "never analysed" in finding.evidence[0].text


def test_a_btree_is_no_vector_index(execute, examine, dropped):
    execute("CREATE INDEX made_here ON atoms USING btree (embedding)")
    (finding,) = of_atoms(examine("VEC001"))
    assert "no index on atoms.embedding" in finding.symptom
