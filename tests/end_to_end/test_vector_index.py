"""An index whose build failed is built anew, and dropped again by undo."""

from __future__ import annotations

from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.end_to_end.patient import ask, doctor, write

INDEXES = """
    SELECT c.relname, i.indisvalid, pg_get_indexdef(c.oid) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_am ON pg_am.oid = c.relam WHERE pg_am.amname = 'hnsw' ORDER BY 1
"""
BROKEN = (
    "CREATE INDEX half_built ON atoms USING hnsw (embedding vector_cosine_ops) WITH (m = 8) WHERE confidence > 0",
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half_built'::regclass",
)


def test_an_invalid_index_is_built_anew_as_it_was_meant_and_dropped_again_by_undo(patient: Sandbox) -> None:
    write(patient, *BROKEN)
    ((_, _, meant),) = ask(patient, INDEXES)
    repaired = doctor(patient, "fix", "--yes")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert ask(patient, INDEXES) == [("half_built", True, meant)]
    assert doctor(patient, "undo").returncode == 0
    assert ask(patient, INDEXES) == []


def test_an_invalid_index_beside_a_good_one_is_dropped(patient: Sandbox) -> None:
    write(patient, "CREATE INDEX good ON atoms USING hnsw (embedding vector_cosine_ops)", *BROKEN)
    try:
        repaired = doctor(patient, "fix", "--yes")
        left = ask(patient, INDEXES)
    finally:
        write(patient, "DROP INDEX IF EXISTS good", "DROP INDEX IF EXISTS half_built")
    assert [(name, valid) for name, valid, _ in left] == [("good", True)]
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr


def test_an_invalid_index_over_another_expression_than_the_good_one_is_built_anew(patient: Sandbox) -> None:
    cast = "embedding::halfvec(1536)"
    write(
        patient,
        f"CREATE INDEX good ON atoms USING hnsw (({cast}) halfvec_cosine_ops)",
        "CREATE INDEX half_built ON atoms USING hnsw ((subvector(embedding, 1, 2)::halfvec(2)) halfvec_cosine_ops)",
        BROKEN[1],
    )
    try:
        planned = doctor(patient, "fix", "VEC001", "--diff")
    finally:
        write(patient, "DROP INDEX good", "DROP INDEX half_built")
    assert "build public.half_built anew" in planned.stdout
    assert "CREATE INDEX CONCURRENTLY half_built" in planned.stdout
