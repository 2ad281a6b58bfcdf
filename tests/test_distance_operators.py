"""Which distance a query orders a column by, read from its text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doctor.distance_operators import operators_ordering
from doctor.resources.catalog import VectorColumn

DOCS = VectorColumn(
    "public", "docs", "embedding", "vector", 4, False, False, False, 0, True, None, 0, 0, True, False, ("id",), ()
)
OTHERS = replace(DOCS, table="others")
ORDERED = {
    "SELECT id FROM docs ORDER BY embedding <=> %s LIMIT 5": {"<=>"},
    "SELECT id FROM docs d ORDER BY d.embedding <-> $1::vector LIMIT 5": {"<->"},
    'SELECT id FROM docs ORDER BY "embedding" <#> %s LIMIT 5': {"<#>"},
    "SELECT id FROM docs ORDER BY %s <+> docs.embedding LIMIT 5": {"<+>"},
    "SELECT id FROM docs ORDER BY embedding::halfvec(4) <=> %s::halfvec(4) LIMIT 5": {"<=>"},
    "SELECT id FROM docs ORDER BY (embedding)::halfvec(4) <=> %s LIMIT 5": {"<=>"},
    "SELECT id, embedding <=> %(v)s AS distance FROM docs ORDER BY distance LIMIT 5": {"<=>"},
    "SELECT id, 1 - (embedding <=> %s) AS score FROM docs ORDER BY score DESC LIMIT 5": {"<=>"},
    "SELECT id FROM {table} ORDER BY embedding <=> %s LIMIT 5": {"<=>"},
    "WITH n AS (SELECT id FROM docs ORDER BY embedding <-> %s LIMIT 50) SELECT * FROM n ORDER BY id": {"<->"},
    "WITH n AS (SELECT * FROM docs) SELECT id FROM n ORDER BY n.embedding <-> %s LIMIT 5": {"<->"},
    "SELECT id FROM others o JOIN public.docs AS d ON d.id = o.id ORDER BY d.embedding <-> %s LIMIT 5": {"<->"},
    "SELECT id FROM others, docs d WHERE d.id = others.id ORDER BY %s <#> d.embedding LIMIT 5": {"<#>"},
    "SELECT id FROM Docs WHERE id > 5 ORDER BY Docs.embedding <-> %s LIMIT 5": {"<->"},
    "SELECT id FROM {table} t ORDER BY t.embedding <=> %s LIMIT 5": {"<=>"},
    "SELECT id FROM plain p JOIN docs d ON d.id = p.id ORDER BY embedding <=> %s LIMIT 5": {"<=>"},
}
NOT_ORDERED = [
    "SELECT id, embedding <=> %s AS distance FROM docs ORDER BY created_at LIMIT 5",
    "SELECT id FROM docs WHERE embedding <=> %s < 0.5 LIMIT 5",
    "SELECT id FROM others ORDER BY embedding <=> %s LIMIT 5",
    "SELECT id FROM docs ORDER BY title_embedding <=> %s LIMIT 5",
    "SELECT id FROM docs ORDER BY other <=> %s LIMIT 5",
    "SELECT d.id FROM docs d JOIN others o ON d.id = o.id ORDER BY o.embedding <-> %s LIMIT 5",
    "SELECT d.id FROM docs d, others o WHERE d.id = o.id ORDER BY %s <-> o.embedding LIMIT 5",
    "SELECT docs.id FROM docs JOIN others USING (id) ORDER BY embedding <-> %s LIMIT 5",
    "SELECT id FROM archive.docs ORDER BY embedding <=> %s LIMIT 5",
    "SELECT (SELECT x.id FROM docs x LIMIT 1) FROM others x ORDER BY x.embedding <-> %s LIMIT 5",
]


@pytest.mark.parametrize(("statement", "operators"), ORDERED.items())
def test_a_distance_is_ordered_by(statement, operators):
    assert operators_ordering(statement, DOCS, [DOCS, OTHERS]) == operators


@pytest.mark.parametrize("statement", NOT_ORDERED)
def test_nothing_is_ordered_by_a_distance_of_the_column(statement):
    assert operators_ordering(statement, DOCS, [DOCS, OTHERS]) == set()


def test_a_partition_is_meant_by_the_name_of_the_whole():
    part = replace(DOCS, table="docs_2026", partition=True, root="public.docs")
    assert operators_ordering("SELECT id FROM docs ORDER BY embedding <=> %s LIMIT 5", part) == {"<=>"}


def test_a_hostile_text_takes_no_time_to_speak_of():
    hostile = "SELECT " + "embedding <=> " * 3_000 + "ORDER BY " * 2_000 + "docs"
    assert operators_ordering(hostile, DOCS) <= {"<=>"}
    assert operators_ordering("FROM " + "a" * 60_000 + ", b" * 20_000 + hostile, DOCS) <= {"<=>"}
