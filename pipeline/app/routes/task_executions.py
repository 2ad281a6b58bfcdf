"""``/task_executions``: what the workers have done, with which model, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from ..listing import newest_rows
from .bodies import Name
from .paging import DEFAULT_PAGE_SIZE, AfterId, Page, PageSize

router = APIRouter(prefix="/task_executions", tags=["tasks"])


class ExecutionRow(BaseModel):
    """One execution with all its attempts. ``model_used`` is the fallback model when ``used_fallback`` is true."""

    id: int
    task: str
    status: Literal["succeeded", "failed"]
    attempts: int
    model_used: str | None
    used_fallback: bool | None
    error: str | None
    started_at: datetime
    finished_at: datetime


@router.get("")
async def list_task_executions(
    task: Name | None = None,
    status: Literal["succeeded", "failed"] | None = None,
    limit: PageSize = DEFAULT_PAGE_SIZE,
    after: AfterId = None,
) -> Page[ExecutionRow, int]:
    """List executions, newest first; of one task (``module:function``), or of one status."""
    where = {"task": task, "status": status}
    found = await newest_rows("task_executions", ExecutionRow.model_fields, where=where, after=after, limit=limit + 1)
    rows = [ExecutionRow.model_validate(row) for row in found]
    return Page[ExecutionRow, int].of(rows, limit, lambda row: row.id)
