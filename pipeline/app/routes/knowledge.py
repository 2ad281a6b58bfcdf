"""``POST /knowledge/extract``: extract from chosen messages or a period, without waiting for the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, HTTPException, status
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from ..agents import find_active_agent
from ..claims import Claim, end_expired_claims, release_claim
from ..database import connection
from ..requested_extraction import claim_requested, free_messages, free_messages_between
from ..tasks.extraction import EXTRACTION_AGENT
from ..tasks.scoring import queue_extraction
from .bodies import Body, BodyRowId
from .problems import problems

router = APIRouter(prefix="/knowledge", tags=["knowledge"])


class Period(StrEnum):
    """Periods that end now; ``custom`` has its own start and end."""

    LAST_24H = "last_24h"
    LAST_7D = "last_7d"
    LAST_30D = "last_30d"
    CUSTOM = "custom"


LENGTHS = {Period.LAST_24H: timedelta(hours=24), Period.LAST_7D: timedelta(days=7), Period.LAST_30D: timedelta(days=30)}


class ExtractionRequest(Body):
    """Either ``message_ids`` or ``period``; ``start`` and ``end`` (with time zone) go with ``custom`` only."""

    message_ids: Annotated[list[BodyRowId], Field(min_length=1, max_length=100)] | None = None
    period: Period | None = None
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.message_ids is None) == (self.period is None):
            raise ValueError("give either message_ids or period")
        if self.period is Period.CUSTOM:
            if self.start is None or self.end is None or self.start >= self.end:
                raise ValueError("a custom period needs start and end, and start lies before end")
        elif self.start is not None or self.end is not None:
            raise ValueError("start and end go with the period 'custom' only")
        return self

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """Return start and end of the period."""
        if self.start is not None and self.end is not None:
            return self.start, self.end
        assert self.period is not None  # checked when the body was read
        return now - LENGTHS[self.period], now


class QueuedExtraction(BaseModel):
    """One batch, of one chat."""

    extraction_id: UUID
    message_ids: list[int]


class ExtractionAnswer(BaseModel):
    """The batches that were queued, and the given ids that were left out (unknown, claimed, or with a topic)."""

    extractions: list[QueuedExtraction]
    skipped: list[int]


@router.post("/extract", status_code=status.HTTP_202_ACCEPTED, responses=problems(409))
async def extract_knowledge(request: ExtractionRequest) -> ExtractionAnswer:
    """Claim and queue what is free; 409 when no agent is active."""
    async with connection() as database:
        agent = await find_active_agent(database, EXTRACTION_AGENT)
        if agent is None:
            raise HTTPException(
                status.HTTP_409_CONFLICT,
                f"no active agent config '{EXTRACTION_AGENT}': create or activate it, and its provider",
            )
        await end_expired_claims(database)
        if request.message_ids is not None:
            messages = await free_messages(database, request.message_ids)
        else:
            messages = await free_messages_between(database, *request.bounds(datetime.now(UTC)))
        claims = await claim_requested(database, agent, messages)
    await _queue(claims)
    claimed = {number for claim in claims for number in claim.message_ids}
    return ExtractionAnswer(
        extractions=[
            QueuedExtraction(extraction_id=claim.extraction_id, message_ids=list(claim.message_ids)) for claim in claims
        ],
        skipped=sorted(set(request.message_ids or ()) - claimed),
    )


async def _queue(claims: Sequence[Claim]) -> None:
    """Queue all batches; when the queue fails, those that were not queued yet are given back too."""
    left = list(claims)
    try:
        while left:
            await queue_extraction(left.pop(0).extraction_id)
    except Exception:
        for claim in left:
            await release_claim(claim.extraction_id, "not queued: the task queue failed")
        raise
