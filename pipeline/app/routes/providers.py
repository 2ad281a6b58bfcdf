"""``/providers``: where models are served. Keys are named by environment variable, never sent or stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, status
from psycopg import sql
from pydantic import BaseModel, HttpUrl, StringConstraints

from ..configuration_rows import create_row, get_row, list_rows, update_row
from ..errors import describe
from ..language_models import ModelError, Provider, list_models
from .bodies import UNCHANGED, Body, Name, Switch
from .paging import DEFAULT_PAGE_SIZE, AfterName, Page, PageSize
from .problems import problems

router = APIRouter(prefix="/providers", tags=["configuration"])

TABLE = sql.Identifier("llm_providers")
VALIDATION_TIMEOUT_SECONDS = 10.0

# Only variables that are meant to be keys: any other could be sent to the address of a provider.
KeyVariable = Annotated[str, StringConstraints(pattern=r"^(HF_TOKEN|[A-Z][A-Z0-9_]{0,100}_API_KEY)$")]


class NewProvider(Body):
    """A provider to create. ``base_url`` may be left out for Ollama: then it is ``OLLAMA_HOST``."""

    name: Name
    type: Literal["ollama", "openai"]
    base_url: HttpUrl | None = None
    api_key_env: KeyVariable | None = None
    is_active: Switch = True


class ProviderChange(Body):
    """What to change. Fields that are left out stay; ``null`` clears ``base_url`` and ``api_key_env`` only."""

    name: Name = UNCHANGED
    base_url: HttpUrl | None = UNCHANGED
    api_key_env: KeyVariable | None = UNCHANGED
    is_active: Switch = UNCHANGED


class ProviderRow(BaseModel):
    """A provider as stored."""

    id: UUID
    name: str
    type: Literal["ollama", "openai"]
    base_url: str | None
    api_key_env: str | None
    is_active: bool
    validation_status: str
    validated_at: datetime | None


class Validation(BaseModel):
    """Whether the provider answers, and with which models."""

    provider: ProviderRow
    models: list[str]
    error: str | None = None


@router.get("")
async def list_providers(limit: PageSize = DEFAULT_PAGE_SIZE, after: AfterName = None) -> Page[ProviderRow, str]:
    """List providers by name."""
    rows = [ProviderRow.model_validate(row) for row in await list_rows(TABLE, after, limit + 1)]
    return Page[ProviderRow, str].of(rows, limit, lambda row: row.name)


@router.post("", status_code=status.HTTP_201_CREATED, responses=problems(409))
async def create_provider(provider: NewProvider) -> ProviderRow:
    """Create a provider; 409 when the name is taken."""
    return ProviderRow.model_validate(await create_row(TABLE, provider.model_dump(mode="json")))


@router.patch("/{provider_id}", responses=problems(404, 409))
async def change_provider(provider_id: UUID, change: ProviderChange) -> ProviderRow:
    """Change a provider; 404 when there is none."""
    return await _update(provider_id, change.model_dump(mode="json", exclude_unset=True))


@router.post("/{provider_id}/activate", responses=problems(404))
async def activate_provider(provider_id: UUID) -> ProviderRow:
    """Switch a provider on."""
    return await _update(provider_id, {"is_active": True})


@router.post("/{provider_id}/deactivate", responses=problems(404))
async def deactivate_provider(provider_id: UUID) -> ProviderRow:
    """Switch a provider off; agents that use it stop working."""
    return await _update(provider_id, {"is_active": False})


@router.post("/{provider_id}/validate", responses=problems(404))
async def validate_provider(provider_id: UUID) -> Validation:
    """Ask the provider for its models and remember whether it answered."""
    row = await get_row(TABLE, provider_id)
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no provider {provider_id}")
    provider = Provider(row["name"], row["type"], row["base_url"], row["api_key_env"])
    models: list[str] = []
    problem: str | None = None
    try:
        models = sorted(await list_models(provider, VALIDATION_TIMEOUT_SECONDS))
    except ModelError as error:
        problem = describe(error)
    outcome: dict[str, object] = {"validation_status": "connected" if problem is None else "error"}
    return Validation(provider=await _update(provider_id, outcome, validated=True), models=models, error=problem)


async def _update(provider_id: UUID, values: dict[str, object], *, validated: bool = False) -> ProviderRow:
    row = await update_row(TABLE, provider_id, values, stamp="validated_at" if validated else "updated_at")
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no provider {provider_id}")
    return ProviderRow.model_validate(row)
