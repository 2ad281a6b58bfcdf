"""Which vectors may be stored."""

from __future__ import annotations

import pytest

from doctor.pipeline.app.vectors import VectorError, ZeroVectorError, usable_vector


def test_a_vector_of_the_right_length_is_taken() -> None:
    assert usable_vector([0.0, 1.0], 2).to_list() == [0.0, 1.0]


def test_another_length_names_both_dimensions_and_the_remedy() -> None:
    with pytest.raises(VectorError, match="gives 3 dimensions, the column holds 2.*OLLAMA_EMBEDDING_MODEL"):
        usable_vector([1.0, 1.0, 1.0], 2)


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e-60, 0.0], []])
def test_a_vector_without_direction_is_refused(values: list[float]) -> None:
    with pytest.raises(ZeroVectorError):
        usable_vector(values, len(values))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(VectorError, match="not finite"):
        usable_vector([value, 1.0], 2)
