"""``/messages``: what came in, and which messages say nearly the same."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from ..listing import newest_rows
from ..search import DEFAULT_SIMILARITY, DUPLICATE_SIMILARITY, FoundMessage, similar
from ..telegram import Identifier
from .bodies import RowId
from .paging import DEFAULT_PAGE_SIZE, AfterId, Page, PageSize
from .problems import problems
from .semantic_search import FoundMessages
from .similarity import DEFAULT_LIMIT, Limit, Threshold

router = APIRouter(prefix="/messages", tags=["messages"])


class MessageRow(BaseModel):
    """A message and how far it has come. ``embedding_model`` is ``null`` while it has no vector."""

    id: int
    external_id: str
    chat_id: int
    sender: str | None
    content: str
    sent_at: datetime | None
    created_at: datetime
    importance_score: float | None
    noise_class: Literal["noise", "neutral", "signal"] | None
    topic_id: int | None
    extraction_id: UUID | None
    embedding_model: str | None


@router.get("")
async def list_messages(
    chat_id: Identifier | None = None,
    topic_id: RowId | None = None,
    limit: PageSize = DEFAULT_PAGE_SIZE,
    after: AfterId = None,
) -> Page[MessageRow, int]:
    """List messages, newest first; of one chat, of one topic."""
    where = {"chat_id": chat_id, "topic_id": topic_id}
    found = await newest_rows("messages", MessageRow.model_fields, where=where, after=after, limit=limit + 1)
    rows = [MessageRow.model_validate(row) for row in found]
    return Page[MessageRow, int].of(rows, limit, lambda row: row.id)


@router.get("/{row_id}/similar", responses=problems(404, 409))
async def find_similar_messages(
    row_id: RowId, limit: Limit = DEFAULT_LIMIT, threshold: Threshold = DEFAULT_SIMILARITY
) -> FoundMessages:
    """Find the messages nearest to this one; 404 when there is none of that id, 409 while it has no vector."""
    results = await similar(FoundMessage, row_id, limit, threshold)
    return FoundMessages(results=results, total=len(results))


@router.get("/{row_id}/duplicates", responses=problems(404, 409))
async def find_duplicate_messages(
    row_id: RowId, limit: Limit = DEFAULT_LIMIT, threshold: Threshold = DUPLICATE_SIMILARITY
) -> FoundMessages:
    """Find the messages that say the same as this one; as ``similar`` with a higher threshold."""
    return await find_similar_messages(row_id, limit, threshold)
