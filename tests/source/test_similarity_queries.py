"""What a text of SQL says about similarity: how it orders, and how it compares with a threshold."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.source.collectors.similarity_queries import COLLECTOR
from doctor.source.index import Source
from doctor.source.similarity_sql import SimilarityQuery


def read(tmp_path: Path, query: str) -> list[SimilarityQuery]:
    (tmp_path / "search.py").write_text(f"QUERY = {query!r}\n")
    return list(Source.read(tmp_path).collected(COLLECTOR))


SERVED = [
    "SELECT id FROM docs ORDER BY embedding <=> %s LIMIT 5",
    "SELECT id, 1 - (embedding <=> %s) AS similarity FROM docs ORDER BY embedding <=> %s LIMIT 5",
    "SELECT id, embedding <=> %s AS distance FROM docs ORDER BY distance LIMIT 5",
    "SELECT id FROM docs ORDER BY embedding <=> %s ASC, id DESC LIMIT 5",
    "WITH n AS (SELECT 1 - (e <=> %s) AS s FROM d ORDER BY e <=> %s LIMIT 9) SELECT s FROM n ORDER BY s DESC LIMIT 5",
    "SELECT id, 1 - (embedding <=> %s) AS similarity FROM docs ORDER BY created_at DESC LIMIT 5",
    "SELECT 1 - (embedding <=> %s) AS similarity FROM docs WHERE id = %s ORDER BY similarity DESC",
    "SELECT name FROM places ORDER BY geom <-> %s DESC LIMIT 5",
]
UNSERVED = {
    "SELECT id, 1 - (embedding <=> %s) AS similarity FROM docs ORDER BY similarity DESC LIMIT 5": "similarity DESC",
    "SELECT id FROM docs ORDER BY 1 - (embedding <=> %s) DESC LIMIT 5": "1 - (embedding <=> %s) DESC",
    "SELECT id FROM docs ORDER BY embedding <=> %s DESC LIMIT 5": "embedding <=> %s DESC",
    "SELECT id, (embedding <#> %s) * -1 AS score FROM docs ORDER BY score DESC LIMIT 5": "score DESC",
    "SELECT id, 1 - (e <=> :q) / 2 AS s FROM docs\n-- best first\nORDER BY s DESC NULLS LAST FETCH FIRST 5 ROWS ONLY": (
        "s DESC NULLS LAST"
    ),
}
LETTING_NAN_PASS = [
    "SELECT id FROM docs WHERE 1 - (embedding <=> %s) > 0.7",
    "SELECT id FROM docs WHERE (1 - (embedding <=> %s) / 2) >= %s ORDER BY embedding <=> %s LIMIT 5",
    "SELECT * FROM (SELECT id, 1 - (embedding <=> %s) AS similarity FROM docs) AS d WHERE similarity >= %s",
    "SELECT * FROM (SELECT id, embedding <=> %s AS distance FROM docs) AS d WHERE 1 - distance / 2 >= %s",
    "SELECT * FROM (SELECT 1 - d AS near FROM (SELECT embedding <=> %s AS d FROM docs) AS a) AS b WHERE near > 0.7",
]
KEEPING_NAN_OUT = [
    "SELECT id, 1 - (embedding <=> %s) AS similarity FROM docs WHERE embedding <=> %s <= 2 * (1 - %s)",
    "SELECT id, 1 - (embedding <=> %s) AS similarity FROM docs WHERE views > 5 ORDER BY embedding <=> %s LIMIT 5",
    "SELECT id FROM docs WHERE embedding <=> %s < 0.3",
    "SELECT 1 - d AS near FROM (SELECT embedding <=> %s AS d, views FROM docs) AS a WHERE d <= 0.3 AND views > 1 - 2",
    "SELECT id FROM docs WHERE meta->>'kind' = 'a' ORDER BY embedding <=> %s LIMIT 5",
]


@pytest.mark.parametrize("query", SERVED)
def test_the_order_of_a_bare_distance_is_one_that_an_index_serves(tmp_path, query):
    assert [one.order for one in read(tmp_path, query)] in ([""], [])


@pytest.mark.parametrize(("query", "order"), UNSERVED.items())
def test_the_order_of_a_similarity_is_one_that_none_serves(tmp_path, query, order):
    assert [one.order for one in read(tmp_path, query)] == [order]


@pytest.mark.parametrize("query", LETTING_NAN_PASS)
def test_a_similarity_that_is_at_least_something_lets_nan_pass(tmp_path, query):
    assert [one.lets_nan_pass for one in read(tmp_path, query)] == [True]


@pytest.mark.parametrize("query", KEEPING_NAN_OUT)
def test_a_distance_that_is_at_most_something_does_not(tmp_path, query):
    assert [one.lets_nan_pass for one in read(tmp_path, query)] == [False]


def test_a_hostile_text_takes_no_time_to_speak_of(tmp_path):
    hostile = "SELECT 1 - (e <=> " + "1 - (" * 3_000 + "x" * 50_000
    assert [one.order for one in read(tmp_path, hostile)] == [""]


def test_many_names_of_distances_take_no_time_to_speak_of(tmp_path):
    names = "".join(f"e <=> q AS d{number}, " for number in range(1_000))
    assert [one.lets_nan_pass for one in read(tmp_path, f"SELECT {names}{'1 - ' * 500}x")] == [False]


def test_docstrings_arrows_and_other_texts_are_no_queries(tmp_path):
    (tmp_path / "a.py").write_text('"""SELECT 1 - (e <=> q) AS s FROM d ORDER BY s DESC LIMIT 5"""\nx = "a <-> b"\n')
    assert Source.read(tmp_path).collected(COLLECTOR) == ()


def test_formatted_texts_are_read_whole(tmp_path):
    (tmp_path / "a.py").write_text('q = f"SELECT 1 - ({c} <=> {v}) AS s FROM {t} ORDER BY s DESC LIMIT {n}"\n')
    (one,) = Source.read(tmp_path).collected(COLLECTOR)
    assert one.order == "s DESC"


def test_the_statement_is_kept_in_full_without_its_comments(tmp_path):
    columns = ", ".join(f"column_{number}" for number in range(40))
    (query,) = read(tmp_path, f"SELECT {columns}\n-- the nearest\nFROM docs ORDER BY e <=> '{{v}}'::vector LIMIT 5")
    assert query.statement == f"SELECT {columns} FROM docs ORDER BY e <=> '{{v}}'::vector LIMIT 5"
