"""``/dead_letters``: work that is still to be done, and sending it to the workers again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, Field, Strict

from ..listing import newest_rows
from ..replay import ReplayError, replay
from ..telegram import WholeNumber
from .bodies import Body, BodyRowId, Name, RowId
from .paging import DEFAULT_PAGE_SIZE, AfterId, Page, PageSize
from .problems import problems

router = APIRouter(prefix="/dead_letters", tags=["tasks"])

LARGEST_REPLAY = 1_000


class DeadLetter(BaseModel):
    """A task with arguments that could not be done. ``attempts`` counts those of all its executions."""

    id: int
    task: str
    arguments: dict[str, Any]
    error: str
    attempts: int
    first_failed_at: datetime
    failed_at: datetime


class ReplayRequest(Body):
    """Which dead letters: those of one task, or all; the newest first, at most ``limit``, older than ``after``."""

    task: Name | None = None
    limit: Annotated[int, Strict(), Field(ge=1, le=LARGEST_REPLAY), WholeNumber] = 100
    after: BodyRowId | None = None


class Refused(BaseModel):
    """A dead letter that this application cannot run."""

    id: int
    reason: str


class Replayed(BaseModel):
    """How many were queued. ``next``, given as ``after``, goes on with the older ones; ``null`` when that was all."""

    queued: int
    refused: list[Refused] = Field(default_factory=list)
    next: int | None = None


@router.get("")
async def list_dead_letters(
    task: Name | None = None, limit: PageSize = DEFAULT_PAGE_SIZE, after: AfterId = None
) -> Page[DeadLetter, int]:
    """List what is still to be done, newest first; of one task (``module:function``) if it is named."""
    return await _page(limit, after, task=task)


@router.post("/replay", status_code=status.HTTP_202_ACCEPTED)
async def replay_dead_letters(request: ReplayRequest) -> Replayed:
    """Queue many again. Each stays in the list until its work is done; asking twice does no work twice."""
    page = await _page(request.limit, request.after, task=request.task)
    answer = Replayed(queued=0, next=page.next)
    for letter in page.items:
        try:
            await replay(letter.task, letter.arguments)
        except ReplayError as error:
            answer.refused.append(Refused(id=letter.id, reason=str(error)))
        else:
            answer.queued += 1
    return answer


@router.post("/{letter_id}/replay", status_code=status.HTTP_202_ACCEPTED, responses=problems(404, 409))
async def replay_dead_letter(letter_id: RowId) -> Replayed:
    """Queue one again; 404 when there is none (its work may be done), 409 when this application cannot run it."""
    page = await _page(1, None, id=letter_id)
    if not page.items:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no dead letter {letter_id}")
    (letter,) = page.items
    try:
        await replay(letter.task, letter.arguments)
    except ReplayError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from None
    return Replayed(queued=1)


async def _page(limit: int, after: int | None, **where: object) -> Page[DeadLetter, int]:
    found = await newest_rows("failed_tasks", DeadLetter.model_fields, where=where, after=after, limit=limit + 1)
    rows = [DeadLetter.model_validate(row) for row in found]
    return Page[DeadLetter, int].of(rows, limit, lambda row: row.id)
