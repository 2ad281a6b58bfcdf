"""The text of an embedding is configured, read in the source, or guessed from names and types; one expression."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from doctor.embedding_texts import EmbeddingTexts, SourceText, embedding_text

TYPES = {"id": "bigint", "headline": "text", "content": "text", "views": "integer", "embedding": "vector(8)"}
COLUMN = SimpleNamespace(table="articles", table_name="public.articles", column="embedding")


def in_source(*template: tuple[bool, str], table: str = "articles", vectors: tuple[str, ...] = (), line: int = 12):
    return SourceText(f"app/embed.py:{line}", template, frozenset({table}), frozenset(vectors))


BOTH = ((True, "headline"), (False, "\n"), (True, "content"))


@pytest.mark.parametrize(
    ("types", "columns"),
    [
        ({"id": "bigint", "content": "text"}, ("content",)),
        ({"body": "character varying(80)", "title": "text"}, ("title", "body")),
        ({"description": "text", "text": "text"}, ("text",)),
    ],
)
def test_the_likeliest_column_of_a_text_type_is_guessed_with_its_title(types, columns):
    text = embedding_text(types)
    assert text is not None
    assert (text.columns, text.origin) == (columns, "the names")


def test_without_a_column_of_a_text_type_nothing_is_guessed():
    assert embedding_text({"content": "jsonb", "title": "text"}) is None


def test_a_missing_part_is_an_empty_one_and_a_blank_line_is_between():
    text = embedding_text({"title": "text", "content": "text"})
    assert text is not None
    expected = """(coalesce("title", '') || E'\\n\\n' || coalesce("content", ''))"""
    assert text.expression.as_string(None) == expected
    assert str(text) == "title, blank line, content (guessed from the names)"


@pytest.mark.parametrize("table", ["articles", "public.articles"])
def test_what_the_source_does_goes_before_the_names(table):
    text = EmbeddingTexts(embedded=[in_source(*BOTH, table=table)]).of(COLUMN, TYPES)
    assert text is not None
    assert str(text) == "headline, new line, content (as app/embed.py:12 makes it)"
    assert text.expression.as_string(None) == """(coalesce("headline", '') || '\n' || coalesce("content", ''))"""


def test_what_the_configuration_says_goes_before_the_source():
    texts = EmbeddingTexts({("articles", "embedding"): ("content", "views")}, [in_source(*BOTH)])
    text = texts.of(COLUMN, TYPES)
    assert text is not None
    assert str(text) == "content, blank line, views (as doctor.toml says)"
    assert (
        text.expression.as_string(None) == """(coalesce("content", '') || E'\\n\\n' || coalesce("views"::text, ''))"""
    )


@pytest.mark.parametrize(
    "embedded",
    [
        [in_source(*BOTH, table="notes")],
        [in_source((True, "headline"), (True, "subtitle"))],
        [in_source((True, "views"))],
        [in_source(*BOTH, vectors=("title_embedding",)), in_source((True, "headline"), line=40)],
        [in_source(*BOTH), in_source((True, "headline"), line=40)],
    ],
    ids=["another table", "a column that is not there", "no text", "two that differ", "two that differ, plainly"],
)
def test_a_place_that_does_not_fit_and_places_that_differ_say_nothing(embedded):
    text = EmbeddingTexts(embedded=embedded).of(COLUMN, TYPES)
    assert text is not None
    assert text.origin == "the names"


def test_places_that_agree_count_as_one_and_those_of_another_column_of_vectors_do_not_count():
    types = {**TYPES, "headline_embedding": "vector(8)"}
    embedded = [
        in_source(*BOTH),
        in_source(*BOTH, line=40),
        in_source((True, "headline"), vectors=("headline_embedding",)),
    ]
    text = EmbeddingTexts(embedded=embedded).of(COLUMN, types)
    assert text is not None
    assert text.origin == "app/embed.py:12"
