"""Parameters of the questions for rows that are near another one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from ..search import LARGEST_LIMIT

DEFAULT_LIMIT = 10

Limit = Annotated[int, Query(ge=1, le=LARGEST_LIMIT)]
Threshold = Annotated[
    float,
    Query(ge=0, le=1, allow_inf_nan=False, description="The least similarity; unrelated texts have about 0.5."),
]
