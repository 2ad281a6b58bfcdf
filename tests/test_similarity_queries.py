"""Similarity queries of the source and of the configuration are judged alike, and say where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doctor.given_queries import GivenQuery
from doctor.model import EvidenceKind, Resource
from doctor.similarity_queries import SimilarityQueries, evidence_of, resource_of
from doctor.source.index import Source
from tests.forked_doctor import run

GIVEN = GivenQuery("by topic", "SELECT a -- nearest\nFROM t\nORDER BY 1 - (e <=> :v) DESC LIMIT 5", "doctor.toml", 3)
TOML = """
[[queries]]
name = "by topic"
sql = "SELECT a FROM t WHERE 1 - (e <=> :v) > 0.7 ORDER BY 1 - (e <=> :v) DESC LIMIT 5"
"""


def test_what_is_given_follows_what_the_source_holds(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        'Q = "SELECT a FROM docs ORDER BY embedding <=> %s LIMIT 5"\nS = "SET hnsw.ef_search = 9"\n'
    )
    both = SimilarityQueries.of(Source.read(tmp_path), [GIVEN])
    assert [query.place for query in both.queries] == ["a.py:1", 'doctor.toml:3 "by topic"']
    assert [setting.name for setting in both.settings] == ["hnsw.ef_search"]


def test_a_given_query_is_read_like_any_other() -> None:
    (query,) = SimilarityQueries.of(None, [GIVEN]).queries
    assert query.statement == "SELECT a FROM t ORDER BY 1 - (e <=> :v) DESC LIMIT 5"
    assert query.order == "1 - (e <=> :v) DESC"
    assert resource_of(query) == Resource("query", "by topic")
    assert evidence_of(query).kind is EvidenceKind.CONFIG


def test_a_query_is_known_again_when_it_has_moved_and_told_from_its_neighbour(tmp_path: Path) -> None:
    text = "".join(f'{name} = "SELECT {name} FROM docs ORDER BY embedding <=> %s LIMIT 5"\n' for name in "ab")

    def resources(written: str) -> list[str]:
        (tmp_path / "a.py").write_text(written)
        return [resource_of(query).key for query in SimilarityQueries.of(Source.read(tmp_path)).queries]

    before = resources(text)
    assert len(set(before)) == 2
    assert resources(f"import os\n\n{text}") == before


def test_a_secret_in_a_given_query_is_not_shown() -> None:
    secret = GivenQuery("a", "SELECT 'postgresql://u:hunter2pw@h/db', e <=> :v FROM t LIMIT 5", "doctor.toml", 3)
    (query,) = SimilarityQueries.of(None, [secret]).queries
    assert "hunter2pw" not in evidence_of(query).text


SETTINGS = {
    "beside the query": ({"a.py": "SET LOCAL hnsw.ef_search = 80"}, {"hnsw.ef_search": "80"}),
    "beside another query": ({"b.py": "SET LOCAL hnsw.ef_search = 80"}, {}),
    "in a file without queries": ({"c.py": "SET LOCAL hnsw.ef_search = 80"}, {"hnsw.ef_search": "80"}),
    "for the session": ({"b.py": "SET hnsw.ef_search = 80"}, {"hnsw.ef_search": "80"}),
    "twice": ({"a.py": "SET LOCAL hnsw.ef_search = 80", "c.py": "SET hnsw.ef_search = 9"}, {"hnsw.ef_search": "80"}),
    "off and on": (
        {"a.py": "SET hnsw.iterative_scan = off", "c.py": "SET hnsw.iterative_scan = strict_order"},
        {"hnsw.iterative_scan": "strict_order"},
    ),
    "to what nobody can tell": ({"a.py": "SET LOCAL hnsw.ef_search = {n}"}, None),
    "nowhere": ({}, {}),
}


@pytest.mark.parametrize(("texts", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_counts_for_the_queries_that_it_is_meant_for(tmp_path: Path, texts, expected) -> None:
    for name in ("a.py", "b.py", "c.py"):
        query = "" if name == "c.py" else "SELECT a FROM docs ORDER BY embedding <=> %s LIMIT 5"
        (tmp_path / name).write_text(f"Q = {query!r}\nS = {texts.get(name, '')!r}\n")
    queries = SimilarityQueries.of(Source.read(tmp_path))
    assert queries.settings_of(queries.queries[0]) == expected


@pytest.mark.parametrize("code", ["VEC006", "VEC007"])
def test_a_project_without_python_may_give_its_queries(tmp_path: Path, code: str) -> None:
    (tmp_path / "doctor.toml").write_text(TOML)
    document = json.loads(run("check", "--select", code, "--format", "json", cwd=tmp_path).stdout)
    (finding,) = document["findings"]
    assert 'doctor.toml:4 "by topic"' in finding["symptom"]


def test_a_project_without_python_and_queries_is_not_asked(tmp_path: Path) -> None:
    document = json.loads(run("check", "--select", "VEC006", "--format", "json", cwd=tmp_path).stdout)
    assert document["checks"]["VEC006"]["status"] == "skip"
