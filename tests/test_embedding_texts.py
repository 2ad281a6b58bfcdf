"""The text of an embedding is guessed from names and types, and composed as one expression."""

from __future__ import annotations

import pytest

from doctor.embedding_texts import embedding_text


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
    assert (text.columns, text.configured) == (columns, False)


def test_without_a_column_of_a_text_type_nothing_is_guessed():
    assert embedding_text({"content": "jsonb", "title": "text"}) is None


def test_a_missing_part_is_an_empty_one_and_a_blank_line_is_between():
    text = embedding_text({"title": "text", "content": "text"})
    assert text is not None
    expected = """(coalesce("title", '') || E'\\n\\n' || coalesce("content", ''))"""
    assert text.expression.as_string(None) == expected
