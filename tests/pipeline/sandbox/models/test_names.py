"""Model names are read as Ollama reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.pipeline.sandbox.models.names import parse_name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("llama3.2", "llama3.2:latest"),
        ("llama3.2:3b", "llama3.2:3b"),
        ("library/llama3.2", "llama3.2:latest"),
        ("registry.ollama.ai/library/llama3.2:3b", "llama3.2:3b"),
        ("someone/model", "someone/model:latest"),
        ("hf.co/org/name:Q4", "hf.co/org/name:Q4"),
        ("localhost:5000/org/name", "localhost:5000/org/name:latest"),
        ("https://hf.co/org/name", "hf.co/org/name:latest"),
    ],
)
def test_a_name_is_shown_in_its_shortest_form_with_a_tag(text: str, shown: str) -> None:
    assert str(parse_name(text)) == shown


def test_names_are_compared_without_regard_to_case() -> None:
    assert parse_name("Nomic-Embed-Text").key == parse_name("nomic-embed-text:LATEST").key


@pytest.mark.parametrize("text", ["", ":", "a b", "/x", "x:", "a/b/", "ä"])
def test_what_is_not_a_name_is_not_valid(text: str) -> None:
    assert not parse_name(text).is_valid


PART = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(model=PART, tag=PART, namespace=PART)
def test_the_shown_form_is_read_back_as_the_same_name(model: str, tag: str, namespace: str) -> None:
    name = parse_name(f"{namespace}/{model}:{tag}")
    assert parse_name(str(name)).key == name.key
    assert name.is_valid


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    parse_name(text)
