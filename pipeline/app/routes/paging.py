"""Long lists come in pages, each of which says where the next one begins.

The position is the key of the last row and not a count of rows: rows that come or go meanwhile shift nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, Self, TypeVar

from fastapi import Query
from pydantic import BaseModel

from .bodies import Name, RowId

Row = TypeVar("Row", bound=BaseModel)
Key = TypeVar("Key", int, str)

DEFAULT_PAGE_SIZE = 50

PageSize = Annotated[int, Query(ge=1, le=200, description="The most rows that come at once.")]
AfterId = Annotated[RowId | None, Query(description="`next` of the page before.")]
AfterName = Annotated[Name | None, Query(description="`next` of the page before.")]


class Page(BaseModel, Generic[Row, Key]):
    """Some rows. ``next``, given as ``after``, brings those that follow; it is ``null`` on the last page."""

    items: list[Row]
    next: Key | None = None

    @classmethod
    def of(cls, rows: Sequence[Row], limit: int, key: Callable[[Row], Key]) -> Self:
        """Make a page of at most ``limit`` rows out of what a query for one row more has found."""
        items = list(rows[:limit])
        return cls(items=items, next=key(items[-1]) if len(rows) > limit else None)
