"""Indexes are duplicates when they serve the same queries, whatever they are called and however they were built."""

from __future__ import annotations

import pytest

from doctor.model import Status

HNSW = "CREATE INDEX {name} ON made_here USING hnsw ({what}) {rest}"


@pytest.fixture
def indexed(execute):
    execute("CREATE TABLE made_here (id int PRIMARY KEY, embedding vector(3))")
    yield lambda *indexes: execute(*indexes)
    execute("DROP TABLE made_here")


def index(name: str, what: str = "embedding vector_cosine_ops", rest: str = "") -> str:
    return HNSW.format(name=name, what=what, rest=rest)


def test_other_parameters_serve_the_same_queries(indexed, examine):
    indexed(index("first"), index("second", rest="WITH (m = 8)"))
    (finding,) = examine("VEC003").findings
    assert finding.symptom == "second on made_here.embedding serves what first serves"
    assert finding.fixes[0].title == "DROP INDEX CONCURRENTLY public.second;"
    assert len(finding.evidence) == 2


def test_a_partial_index_has_its_own_duplicate(indexed, examine):
    indexed(index("first"), index("second", rest="WHERE id > 5"), index("third", rest="WITH (m = 8) WHERE id > 5"))
    (finding,) = examine("VEC003").findings
    assert {finding.symptom.split()[0], finding.symptom.split()[-2]} == {"second", "third"}


def test_what_serves_other_queries_is_no_duplicate(indexed, execute, examine):
    indexed(
        index("cosine"),
        index("euclidean", "embedding vector_l2_ops"),
        index("half", "(embedding::halfvec(3)) halfvec_cosine_ops"),
        index("part", rest="WHERE id > 5"),
        index("broken"),
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass",
    )
    assert examine("VEC003").status is Status.PASS
