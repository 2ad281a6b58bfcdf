"""Embeddings are deterministic, of length one, and near for texts that share words."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from doctor.pipeline.sandbox.models.embedding import embed, shortened

DIMENSIONS = 768


def cosine(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(embed(one, DIMENSIONS), embed(other, DIMENSIONS), strict=True))


def test_texts_that_share_words_are_nearer_than_texts_that_do_not() -> None:
    near = cosine("the vector index is slow after the migration", "a slow vector index")
    far = cosine("the vector index is slow after the migration", "lunch at noon in the park")
    assert near > 0.5 > 0.2 > far


def test_forms_of_a_word_are_near() -> None:
    assert cosine("deployed the webhooks", "deploying a webhook") > 0.7


def test_two_models_have_different_spaces() -> None:
    assert embed("a text", DIMENSIONS, "one") != embed("a text", DIMENSIONS, "other")


@given(st.text(max_size=200), st.sampled_from([8, 384, 768, 1024]))
def test_every_text_has_one_vector_of_length_one(text: str, dimensions: int) -> None:
    vector = embed(text, dimensions)
    assert vector == embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-4)


def test_a_vector_is_cut_only_to_fewer_dimensions_and_normalised_again() -> None:
    vector = embed("a text with a few words in it", DIMENSIONS)
    assert len(shortened(vector, 256)) == 256
    assert math.isclose(math.hypot(*shortened(vector, 256)), 1.0, abs_tol=1e-4)
    for ignored in (None, 0, -1, DIMENSIONS, DIMENSIONS + 1):
        assert shortened(vector, ignored) == vector
