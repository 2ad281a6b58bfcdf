"""The lists of an IVFFlat index are judged by the rows of its table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.checks.ivfflat_lists import is_out_of_range, recommended
from doctor.model import Status

ROWS = 5_000


@pytest.fixture
def indexed(execute):
    execute(
        "CREATE TABLE made_here (id int PRIMARY KEY, embedding vector(3))",
        f"INSERT INTO made_here SELECT n, ARRAY[n, 1, 2]::vector FROM generate_series(1, {ROWS}) AS n",
    )

    def build(lists: int, method: str = "ivfflat", *, analysed: bool = True) -> None:
        options = f"WITH (lists = {lists})" if method == "ivfflat" else ""
        execute(f"CREATE INDEX made_by_hand ON made_here USING {method} (embedding vector_cosine_ops) {options}")
        execute("ANALYZE made_here" if analysed else "UPDATE pg_class SET reltuples = -1 WHERE relname = 'made_here'")

    yield build
    execute("DROP TABLE made_here")


def test_a_thousand_lists_for_five_thousand_rows_are_too_many(indexed, examine):
    indexed(1_000)
    (finding,) = examine("VEC004").findings
    assert "has 1,000 lists for about 5,000 rows, where about 5 are right" in finding.symptom
    assert "search misses neighbours" in finding.impacts
    assert [option.fix for option in finding.fixes] == ["manual", "replace-vector-index"]
    assert finding.fixes[1].arguments["operator"] == "<=>"


def test_what_is_shown_to_be_done_by_hand_sets_it_right(indexed, execute, examine):
    indexed(1_000)
    (finding,) = examine("VEC004").findings
    execute(*finding.fixes[0].code.splitlines())
    assert examine("VEC004").status is Status.PASS


def test_each_partition_is_judged_by_its_own_rows_and_keeps_the_index_that_its_table_needs(execute, examine):
    execute(
        "CREATE TABLE made_here (id int, embedding vector(3)) PARTITION BY RANGE (id)",
        "CREATE TABLE made_early PARTITION OF made_here FOR VALUES FROM (1) TO (3001)",
        "CREATE TABLE made_late PARTITION OF made_here FOR VALUES FROM (3001) TO (6001)",
        "INSERT INTO made_here SELECT n, ARRAY[n, 1, 2]::vector FROM generate_series(1, 6000) AS n",
        "CREATE INDEX made_by_hand ON made_here USING ivfflat (embedding vector_cosine_ops) WITH (lists = 3)",
        "ALTER INDEX made_late_embedding_idx SET (lists = 500)",
        "ANALYZE made_here",
    )
    try:
        (finding,) = examine("VEC004").findings
        assert finding.resource.id == "public.made_late.embedding"
        (option,) = finding.fixes  # nothing that would have to drop it
        execute(*option.code.splitlines())
        assert examine("VEC004").status is Status.PASS
    finally:
        execute("DROP TABLE made_here")


@pytest.mark.parametrize(
    ("lists", "method", "analysed"), [(5, "ivfflat", True), (1, "hnsw", True), (1, "ivfflat", False)]
)
def test_what_fits_what_has_no_lists_and_what_is_not_known_is_silent(indexed, examine, lists, method, analysed):
    indexed(lists, method, analysed=analysed)
    assert examine("VEC004").status is Status.PASS


@given(st.integers(2_000, 50_000_000))
def test_what_is_recommended_is_in_range(rows: int):
    assert not is_out_of_range(recommended(rows), rows)


def test_far_too_few_lists_are_out_of_range_as_well():
    assert is_out_of_range(10, 1_000_000)
    assert not is_out_of_range(300, 1_000_000)
