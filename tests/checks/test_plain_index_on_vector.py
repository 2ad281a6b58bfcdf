"""An index that is none for vectors is found, and told from one that the column only appears in."""

from __future__ import annotations

import psycopg
import pytest

from doctor.checks.plain_index_on_vector import HEADER, LONGEST_ROW, NUMBER
from doctor.model import Severity, Status

LONGEST = (LONGEST_ROW - HEADER) // NUMBER["vector"]


@pytest.fixture
def table(execute):
    def make(dimensions: int, *indexes: str) -> None:
        execute(f"CREATE TABLE made_here (id int PRIMARY KEY, embedding vector({dimensions}))", *indexes)

    yield make
    execute("DROP TABLE IF EXISTS made_here")


def test_a_btree_that_refuses_vectors_is_an_error(table, examine):
    table(LONGEST + 1, "CREATE INDEX made_by_hand ON made_here (embedding)")
    (finding,) = examine("VEC002").findings
    assert f"is a btree, and refuses vectors of {LONGEST + 1} dimensions" in finding.symptom
    assert finding.severity is Severity.ERROR
    assert "DROP INDEX CONCURRENTLY public.made_by_hand;" in finding.fixes[0].title


def test_the_limit_is_that_of_the_server(table, execute):
    vector = "SELECT 1, array_agg(random())::vector FROM generate_series(1, {})"
    table(LONGEST, "CREATE INDEX ON made_here (embedding)", f"INSERT INTO made_here {vector.format(LONGEST)}")
    execute("DROP TABLE made_here")
    table(LONGEST + 1, "CREATE INDEX ON made_here (embedding)")
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="maximum 2704"):
        execute(f"INSERT INTO made_here {vector.format(LONGEST + 1)}")


@pytest.mark.parametrize(
    ("columns", "method"), [("btree (embedding)", "btree"), ("btree (id) INCLUDE (embedding)", "btree")]
)
def test_one_that_only_serves_nothing_is_a_warning(table, examine, columns, method):
    table(3, f"CREATE INDEX made_by_hand ON made_here USING {columns}")
    (finding,) = examine("VEC002").findings
    assert f"is a {method}, which no search can use" in finding.symptom
    assert finding.severity is Severity.WARNING


def test_vector_indexes_and_those_of_expressions_are_right(table, examine):
    table(
        3,
        "CREATE INDEX ON made_here USING hnsw (embedding vector_cosine_ops)",
        "CREATE INDEX ON made_here USING ivfflat (embedding vector_l2_ops) WITH (lists = 1)",
        "CREATE INDEX ON made_here (vector_dims(embedding))",
        "CREATE INDEX ON made_here (id) WHERE embedding IS NULL",
        "CREATE INDEX ON made_here (embedding) WHERE embedding IS NULL",
    )
    assert examine("VEC002").status is Status.PASS
