"""``/semantic_search``: find messages, atoms and, where they are embedded, topics by meaning."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, Strict

from ..search import DEFAULT_SIMILARITY, LARGEST_LIMIT, FoundAtom, FoundMessage, FoundTopic, search
from ..telegram import WholeNumber
from .bodies import Body, Text
from .problems import problems

router = APIRouter(prefix="/semantic_search", tags=["search"])


class SearchRequest(Body):
    """What to look for. ``threshold`` is a similarity of 0…1; unrelated texts have about 0.5."""

    query: Annotated[Text, Field(max_length=10_000)]
    limit: Annotated[int, Strict(), Field(ge=1, le=LARGEST_LIMIT), WholeNumber] = 10
    threshold: Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)] = DEFAULT_SIMILARITY


class FoundMessages(BaseModel):
    """Messages, most similar first."""

    results: list[FoundMessage]
    total: int


class FoundAtoms(BaseModel):
    """Atoms, most similar first."""

    results: list[FoundAtom]
    total: int


class FoundTopics(BaseModel):
    """Topics, most similar first."""

    results: list[FoundTopic]
    total: int


@router.post("/messages")
async def find_messages(request: SearchRequest) -> FoundMessages:
    """Search messages."""
    results = await search(FoundMessage, request.query, request.limit, request.threshold)
    return FoundMessages(results=results, total=len(results))


@router.post("/atoms")
async def find_atoms(request: SearchRequest) -> FoundAtoms:
    """Search atoms."""
    results = await search(FoundAtom, request.query, request.limit, request.threshold)
    return FoundAtoms(results=results, total=len(results))


@router.post("/topics", responses=problems(409))
async def find_topics(request: SearchRequest) -> FoundTopics:
    """Search topics; 409 without ``EMBED_TOPICS``."""
    results = await search(FoundTopic, request.query, request.limit, request.threshold)
    return FoundTopics(results=results, total=len(results))
