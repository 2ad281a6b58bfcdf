"""``/users/{user_id}/index``: what one user has written, searched without everybody else's."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import BaseModel, Field, Strict

from ..search import DEFAULT_SIMILARITY, LARGEST_LIMIT
from ..semantic_index import FoundContent, indexes
from ..telegram import Identifier, WholeNumber
from .bodies import Body, Text

router = APIRouter(prefix="/users/{user_id}/index", tags=["search"])


class Content(Body):
    """A text."""

    content: Annotated[Text, Field(max_length=10_000)]


class IndexSearch(Body):
    """What to look for. ``threshold`` is a similarity of 0…1; unrelated texts have about 0.5."""

    query: Annotated[Text, Field(max_length=10_000)]
    limit: Annotated[int, Strict(), Field(ge=1, le=LARGEST_LIMIT), WholeNumber] = 10
    threshold: Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)] = DEFAULT_SIMILARITY


class Indexed(BaseModel):
    """How many texts of the user can be found now."""

    size: int


class FoundContents(BaseModel):
    """Texts of the user, most similar first."""

    results: list[FoundContent]
    total: int


class Similarity(BaseModel):
    """How near the nearest text comes; ``null`` where the user has none."""

    similarity: float | None


@router.post("/content", status_code=status.HTTP_201_CREATED)
async def index_content(user_id: Identifier, body: Content) -> Indexed:
    """Let a text be found that is no message: until this process starts again."""
    return Indexed(size=await indexes.of(user_id).index_content(body.content))


@router.post("/search")
async def search(user_id: Identifier, body: IndexSearch) -> FoundContents:
    """Search what the user has written."""
    results = await indexes.of(user_id).search(body.query, body.limit, body.threshold)
    return FoundContents(results=results, total=len(results))


@router.post("/similarity")
async def get_similarity(user_id: Identifier, body: Content) -> Similarity:
    """Tell how near a text comes to what the user has written already."""
    return Similarity(similarity=await indexes.of(user_id).get_similarity(body.content))
