"""``/topics``: the subjects that messages and atoms belong to."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from ..listing import newest_rows
from ..telegram import Identifier
from .paging import DEFAULT_PAGE_SIZE, AfterId, Page, PageSize

router = APIRouter(prefix="/topics", tags=["knowledge"])


class TopicRow(BaseModel):
    """A topic of a chat."""

    id: int
    chat_id: int
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


@router.get("")
async def list_topics(
    chat_id: Identifier | None = None, limit: PageSize = DEFAULT_PAGE_SIZE, after: AfterId = None
) -> Page[TopicRow, int]:
    """List topics, newest first; of one chat."""
    found = await newest_rows("topics", TopicRow.model_fields, where={"chat_id": chat_id}, after=after, limit=limit + 1)
    rows = [TopicRow.model_validate(row) for row in found]
    return Page[TopicRow, int].of(rows, limit, lambda row: row.id)
