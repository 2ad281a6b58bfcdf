"""``/embeddings``: queue the embedding of rows by id, or of everything that has no vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, Field, Strict

from ..embeddings import Entity, embedded_entities, ids_without_vector, known_ids, require_embedded
from ..tasks.embedding import embed_atoms_batch_task, embed_messages_batch_task, embed_topics_batch_task
from ..telegram import WholeNumber
from .bodies import Body, BodyRowId, RowId
from .problems import problems

router = APIRouter(prefix="/embeddings", tags=["embeddings"])


class BatchRequest(Body):
    """Rows to embed."""

    ids: Annotated[list[BodyRowId], Field(min_length=1, max_length=1_000)]


class BackfillRequest(Body):
    """Which tables to fill, and how many rows go into one task."""

    entity_types: Annotated[list[Entity], Field(min_length=1, default_factory=embedded_entities)]
    batch_size: Annotated[int, Strict(), Field(ge=1, le=1_000), WholeNumber] = 100


class Queued(BaseModel):
    """How many rows were queued, and which ids do not exist. Rows that have a vector are left alone by the task."""

    queued: int
    unknown: list[int] = Field(default_factory=list)


class BackfillAnswer(BaseModel):
    """Rows without vector that were queued, by table."""

    queued: dict[Entity, int]
    total: int


@router.post("/backfill", status_code=status.HTTP_202_ACCEPTED, responses=problems(409))
async def backfill(request: BackfillRequest) -> BackfillAnswer:
    """Queue every row that has text and no vector, in batches; safe to ask for twice."""
    queued: dict[Entity, int] = {}
    for entity in request.entity_types:
        require_embedded(entity)
    for entity in dict.fromkeys(request.entity_types):
        queued[entity] = 0
        after = 0
        while ids := await ids_without_vector(entity, after, request.batch_size):
            await _queue(entity, ids)
            queued[entity] += len(ids)
            after = ids[-1]
    return BackfillAnswer(queued=queued, total=sum(queued.values()))


@router.post("/{entity}/batch", status_code=status.HTTP_202_ACCEPTED, responses=problems(409))
async def embed_batch(entity: Entity, request: BatchRequest) -> Queued:
    """Queue rows by id; ids that do not exist are named in the answer. 409 for topics without ``EMBED_TOPICS``."""
    require_embedded(entity)
    known = await known_ids(entity, request.ids)
    if known:
        await _queue(entity, known)
    return Queued(queued=len(known), unknown=sorted(set(request.ids) - set(known)))


@router.post("/{entity}/{row_id}", status_code=status.HTTP_202_ACCEPTED, responses=problems(404, 409))
async def embed_one(entity: Entity, row_id: RowId) -> Queued:
    """Queue one row."""
    require_embedded(entity)
    if not await known_ids(entity, [row_id]):
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no row {row_id} in {entity}")
    await _queue(entity, [row_id])
    return Queued(queued=1)


async def _queue(entity: Entity, ids: Sequence[int]) -> None:
    if entity is Entity.MESSAGES:
        await embed_messages_batch_task.kiq(list(ids))
    elif entity is Entity.ATOMS:
        await embed_atoms_batch_task.kiq(list(ids))
    else:
        await embed_topics_batch_task.kiq(list(ids))
