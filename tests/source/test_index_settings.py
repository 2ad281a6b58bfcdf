"""Who sets how far an index is searched is found in texts, and not in what is written about it."""

from __future__ import annotations

import pytest

from doctor.source.collectors.index_settings import COLLECTOR
from doctor.source.index import Source

TEXTS = {
    "SQL = 'SET LOCAL hnsw.ef_search = 100'": ["hnsw.ef_search"],
    "def search(n):\n    return f'SET ivfflat.probes TO {n}'": ["ivfflat.probes"],
    "OPTIONS = {'options': '-c hnsw.iterative_scan=strict_order'}": ["hnsw.iterative_scan"],
    "'''Needs hnsw.ef_search to be large.'''": [],
    "x = 1  # hnsw.ef_search": [],
}


@pytest.mark.parametrize(("text", "names"), TEXTS.items())
def test_a_setting_is_found_where_a_program_makes_it(tmp_path, text, names):
    (tmp_path / "search.py").write_text(text + "\n")
    assert [setting.name for setting in Source.read(tmp_path).collected(COLLECTOR)] == names


VALUES = {
    "'SET LOCAL hnsw.ef_search = 100'": ("100", True),
    "\"SET hnsw.iterative_scan TO 'strict_order'\"": ("strict_order", False),
    "f'SET LOCAL ivfflat.probes = {n}'": ("", True),
    "f'SET hnsw.ef_search = 9{n}'": ("", False),
    "'-c hnsw.ef_search=200'": ("200", False),
    "sql.SQL('SET LOCAL hnsw.ef_search = {n}').format(n=n)": ("", True),
}


@pytest.mark.parametrize(("text", "read"), VALUES.items())
def test_its_value_is_known_where_the_text_says_it(tmp_path, text, read):
    (tmp_path / "search.py").write_text(f"SQL = {text}\n")
    (setting,) = Source.read(tmp_path).collected(COLLECTOR)
    assert (setting.value, setting.is_local) == read
