"""A query of the source is numbered for the server, and run only when nothing is guessed and nothing can be changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.similarity_statements import names_no_table, statement_of

NUMBERED = {
    "SELECT a FROM t WHERE b = %s ORDER BY e <=> %s LIMIT %s": (
        "SELECT a FROM t WHERE b = $1 ORDER BY e <=> $2 LIMIT 10"
    ),
    "SELECT a, e <=> :v FROM t ORDER BY e <=> CAST(:v AS vector) LIMIT :k OFFSET :o": (
        "SELECT a, e <=> $1 FROM t ORDER BY e <=> CAST($1 AS vector) LIMIT 10 OFFSET 0"
    ),
    "SELECT a FROM t WHERE a = $2 ORDER BY $1 <-> e;": "SELECT a FROM t WHERE a = $1 ORDER BY $2 <-> e",
    "SELECT a FROM t WHERE a LIKE ':b%(c)s' ORDER BY e <=> '{v}'::vector LIMIT 5": (
        "SELECT a FROM t WHERE a LIKE ':b%(c)s' ORDER BY e <=> $1::vector LIMIT 5"
    ),
    "SELECT {columns} FROM {table} ORDER BY e <=> %(v)s": 'SELECT * FROM "docs" ORDER BY e <=> $1',
}
NO_QUERIES = [
    "UPDATE t SET e = NULL WHERE e <=> %s < 1",
    "ORDER BY e <=> %s LIMIT 5",
    "SELECT 1; DROP TABLE t",
    "SELECT a FROM t WHERE {condition} ORDER BY e <=> %s",
]


@pytest.mark.parametrize(("text", "numbered"), NUMBERED.items())
def test_placeholders_of_every_style_are_numbered(text, numbered):
    statement = statement_of(text, '"docs"')
    assert statement is not None
    assert statement.text == numbered


@pytest.mark.parametrize("text", NO_QUERIES)
def test_what_is_no_single_query_or_has_a_hole_is_left_out(text):
    assert statement_of(text, "docs") is None


def test_a_vector_stands_in_every_place_of_one():
    statement = statement_of("SELECT 1 - (e <=> %(v)s) FROM t ORDER BY e <=> %(v)s LIMIT %(k)s", "docs")
    assert statement is not None
    assert statement.filled("'[1]'::vector", {}) == (
        "SELECT 1 - (e <=> '[1]'::vector) FROM t ORDER BY e <=> '[1]'::vector LIMIT 10"
    )


def test_values_stand_where_they_are_meant_and_none_is_guessed():
    statement = statement_of("SELECT a FROM t WHERE b = %s AND c = %(c)s ORDER BY e <=> %s LIMIT 7 OFFSET 5", "docs")
    assert statement is not None
    assert statement.filled("v", {"$1": "'x'"}) is None
    assert statement.filled("v", {"$1": "'x'", "$2": "3"}) == (
        "SELECT a FROM t WHERE b = 'x' AND c = 3 ORDER BY e <=> v LIMIT 7 OFFSET 5"
    )
    assert (statement.limit, statement.reach) == (7, 12)


@pytest.mark.parametrize("part", ["f(b)", "b = E'\\''", "b /**/ > 1", "b = $$x$$", '"Pg_sleep" (1) IS NULL'])
def test_what_may_do_more_than_read_is_not_run(part):
    statement = statement_of(f"SELECT a FROM t WHERE {part} ORDER BY e <=> %(v)s", "docs")
    assert statement is not None
    assert not statement.only_reads


def test_values_that_are_given_stand_for_placeholders_of_their_names():
    text = "SELECT a FROM t WHERE b = %(b)s AND c = :c AND d = $2 AND f = {f} ORDER BY e <=> %(v)s"
    statement = statement_of(text, "docs", {"b": 7, "c": "o'clock", "2": 1.5, "f": False})
    assert statement is not None
    assert (
        statement.text == "SELECT a FROM t WHERE b = 7 AND c = 'o''clock' AND d = 1.5 AND f = false ORDER BY e <=> $1"
    )
    assert statement.filled("x", {}) is not None


def test_the_table_is_open_only_where_the_program_names_it():
    assert names_no_table("SELECT a FROM {table} ORDER BY e <=> %s")
    assert not names_no_table("SELECT {columns} FROM t ORDER BY e <=> '{v}'")


@given(st.text(alphabet=st.sampled_from("SELECT FROMorderby<=>-#%s:a$1{}'\"();/*\\")))
def test_no_placeholder_of_any_text_is_both_a_vector_and_something_else(text):
    statement = statement_of(f"SELECT {text}", "docs")
    assert statement is None or statement.vectors.isdisjoint(statement.bound)
