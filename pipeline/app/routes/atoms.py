"""``/atoms``: the knowledge that was extracted, and which atoms say nearly the same."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from ..listing import newest_rows
from ..search import DEFAULT_SIMILARITY, DUPLICATE_SIMILARITY, FoundAtom, similar
from ..telegram import Identifier
from .bodies import Name, RowId
from .paging import DEFAULT_PAGE_SIZE, AfterId, Page, PageSize
from .problems import problems
from .semantic_search import FoundAtoms
from .similarity import DEFAULT_LIMIT, Limit, Threshold

router = APIRouter(prefix="/atoms", tags=["knowledge"])


class AtomRow(BaseModel):
    """An atom with the messages that it comes from. ``embedding_model`` is ``null`` while it has no vector."""

    id: int
    type: str
    title: str
    content: str
    confidence: float | None
    chat_id: int | None
    topic_id: int | None
    extraction_id: UUID | None
    message_ids: list[int]
    embedding_model: str | None
    created_at: datetime


@router.get("")
async def list_atoms(
    chat_id: Identifier | None = None,
    topic_id: RowId | None = None,
    type: Name | None = None,  # noqa: A002 - the parameter has the name of the column
    limit: PageSize = DEFAULT_PAGE_SIZE,
    after: AfterId = None,
) -> Page[AtomRow, int]:
    """List atoms, newest first; of one chat, of one topic, of one type."""
    where = {"chat_id": chat_id, "topic_id": topic_id, "type": type}
    found = await newest_rows("atoms", AtomRow.model_fields, where=where, after=after, limit=limit + 1)
    rows = [AtomRow.model_validate(row) for row in found]
    return Page[AtomRow, int].of(rows, limit, lambda row: row.id)


@router.get("/{row_id}/similar", responses=problems(404, 409))
async def find_similar_atoms(
    row_id: RowId, limit: Limit = DEFAULT_LIMIT, threshold: Threshold = DEFAULT_SIMILARITY
) -> FoundAtoms:
    """Find the atoms nearest to this one; 404 when there is none of that id, 409 while it has no vector."""
    results = await similar(FoundAtom, row_id, limit, threshold)
    return FoundAtoms(results=results, total=len(results))


@router.get("/{row_id}/duplicates", responses=problems(404, 409))
async def find_duplicate_atoms(
    row_id: RowId, limit: Limit = DEFAULT_LIMIT, threshold: Threshold = DUPLICATE_SIMILARITY
) -> FoundAtoms:
    """Find the atoms that say the same as this one; as ``similar`` with a higher threshold."""
    return await find_similar_atoms(row_id, limit, threshold)
