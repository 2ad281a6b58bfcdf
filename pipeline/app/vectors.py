"""What is a usable vector: the right number of finite values, and not the zero vector."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pgvector import Vector

from .errors import PermanentError


class VectorError(PermanentError):
    """A model gave a vector that must not be stored or searched with."""


class ZeroVectorError(VectorError):
    """A vector without a direction: its cosine distance to anything is NaN, which passes careless comparisons."""


def usable_vector(values: Sequence[float], dimensions: int) -> Vector:
    """Return the vector if it fits a ``vector(dimensions)`` column and has a direction.

    Raises:
        VectorError: wrong length, a value that is not finite, or (``ZeroVectorError``) all zero.
    """
    if len(values) != dimensions:
        raise VectorError(
            f"the model gives {len(values)} dimensions, the column holds {dimensions}: "
            "set OLLAMA_EMBEDDING_MODEL to a model that fits, or change the column"
        )
    if not all(math.isfinite(value) for value in values):
        raise VectorError("the model gave a vector with values that are not finite")
    # Stored as 4-byte floats: what is too small for them becomes zero.
    if math.hypot(*values) < 1e-30:
        raise ZeroVectorError("the model gave a zero vector")
    return Vector(list(values))
