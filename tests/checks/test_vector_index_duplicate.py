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


def test_what_a_partitioned_table_has_twice_is_told_once_and_can_be_dropped(execute, examine):
    hnsw = "USING hnsw (embedding vector_cosine_ops)"
    execute(
        "CREATE TABLE made_here (id int, embedding vector(3)) PARTITION BY RANGE (id)",
        "CREATE TABLE made_here_1 PARTITION OF made_here FOR VALUES FROM (0) TO (10)",
        f"CREATE INDEX first ON made_here {hnsw}",
        f"CREATE INDEX second ON made_here {hnsw}",
        f"CREATE INDEX own ON made_here_1 {hnsw}",
    )
    try:
        findings = {finding.resource.id: finding for finding in examine("VEC003").findings}
        execute(*(finding.fixes[0].title for finding in findings.values()))
        left = examine("VEC003")
    finally:
        execute("DROP TABLE made_here")
    assert findings.keys() == {"public.made_here.embedding", "public.made_here_1.embedding"}
    assert findings["public.made_here.embedding"].fixes[0].title == "DROP INDEX public.second;"
    assert findings["public.made_here_1.embedding"].fixes[0].title == "DROP INDEX CONCURRENTLY public.own;"
    assert left.status is Status.PASS


def test_the_finding_stays_the_same_when_the_other_index_is_scanned_more(indexed, examine):
    indexed(index("first"), index("second"))
    (before,) = examine("VEC003").findings
    indexed("DROP INDEX first", index("first", rest="WITH (m = 4)"), *scan("second"))
    (after,) = examine("VEC003").findings
    assert before.symptom == "second on made_here.embedding serves what first serves"
    assert after.symptom == "first on made_here.embedding serves what second serves"
    assert before.fingerprint == after.fingerprint


def scan(kept: str) -> list[str]:
    others = "UPDATE pg_index SET indisvalid = {} WHERE indexrelid = 'first'::regclass"
    return [
        "INSERT INTO made_here VALUES (1, '[1,2,3]')",
        others.format(False),
        "SET enable_seqscan = off",
        "SELECT id FROM made_here ORDER BY embedding <=> '[1,2,3]' LIMIT 1",
        "RESET enable_seqscan",
        others.format(True),
        "SELECT pg_stat_force_next_flush()",
    ]
