"""``/agent_configs``: which model does which job, and how it is asked."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, status
from psycopg import sql
from pydantic import BaseModel, Field, Strict

from ..configuration_rows import create_row, list_rows, update_row
from ..telegram import WholeNumber
from .bodies import UNCHANGED, Body, Name, Switch, Text
from .paging import DEFAULT_PAGE_SIZE, AfterName, Page, PageSize
from .problems import problems

router = APIRouter(prefix="/agent_configs", tags=["configuration"])

TABLE = sql.Identifier("agent_configs")

Temperature = Annotated[float, Strict(), Field(ge=0, le=2, allow_inf_nan=False)]
MaxTokens = Annotated[int, Strict(), Field(ge=1, le=1_000_000), WholeNumber]


class NewAgentConfig(Body):
    """An agent configuration to create; the extraction task looks for the name ``knowledge_extractor``."""

    name: Name
    provider_id: UUID
    model_name: Name
    fallback_model: Name | None = None
    system_prompt: Text
    temperature: Temperature = 0.3
    max_tokens: MaxTokens = 4_000
    is_active: Switch = True


class AgentConfigChange(Body):
    """What to change. Fields that are left out stay; ``null`` clears ``fallback_model`` and nothing else."""

    name: Name = UNCHANGED
    provider_id: UUID = UNCHANGED
    model_name: Name = UNCHANGED
    fallback_model: Name | None = UNCHANGED
    system_prompt: Text = UNCHANGED
    temperature: Temperature = UNCHANGED
    max_tokens: MaxTokens = UNCHANGED
    is_active: Switch = UNCHANGED


class AgentConfigRow(BaseModel):
    """An agent configuration as stored."""

    id: UUID
    name: str
    provider_id: UUID | None
    model_name: str
    fallback_model: str | None
    system_prompt: str
    temperature: float
    max_tokens: int
    is_active: bool


@router.get("")
async def list_agent_configs(limit: PageSize = DEFAULT_PAGE_SIZE, after: AfterName = None) -> Page[AgentConfigRow, str]:
    """List agent configurations by name."""
    rows = [AgentConfigRow.model_validate(row) for row in await list_rows(TABLE, after, limit + 1)]
    return Page[AgentConfigRow, str].of(rows, limit, lambda row: row.name)


@router.post("", status_code=status.HTTP_201_CREATED, responses=problems(409))
async def create_agent_config(config: NewAgentConfig) -> AgentConfigRow:
    """Create an agent configuration; 409 when the name is taken or the provider does not exist."""
    return AgentConfigRow.model_validate(await create_row(TABLE, config.model_dump()))


@router.patch("/{config_id}", responses=problems(404, 409))
async def change_agent_config(config_id: UUID, change: AgentConfigChange) -> AgentConfigRow:
    """Change an agent configuration; 404 when there is none."""
    return await _update(config_id, change.model_dump(exclude_unset=True))


@router.post("/{config_id}/activate", responses=problems(404))
async def activate_agent_config(config_id: UUID) -> AgentConfigRow:
    """Switch an agent on."""
    return await _update(config_id, {"is_active": True})


@router.post("/{config_id}/deactivate", responses=problems(404))
async def deactivate_agent_config(config_id: UUID) -> AgentConfigRow:
    """Switch an agent off; its tasks then leave their messages waiting."""
    return await _update(config_id, {"is_active": False})


async def _update(config_id: UUID, values: dict[str, object]) -> AgentConfigRow:
    row = await update_row(TABLE, config_id, values, stamp="updated_at")
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no agent config {config_id}")
    return AgentConfigRow.model_validate(row)
