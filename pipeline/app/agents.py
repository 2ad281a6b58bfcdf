"""The agent configuration that a task works with: the active row of that name, with its active provider."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from .database import Connection
from .language_models import Provider

ACTIVE_AGENT = """
    SELECT a.id, a.name, a.model_name, a.fallback_model, a.system_prompt, a.temperature, a.max_tokens,
           p.name AS provider_name, p.type AS provider_type, p.base_url, p.api_key_env
    FROM agent_configs AS a
    JOIN llm_providers AS p ON p.id = a.provider_id
    WHERE a.name = %(name)s AND a.is_active AND p.is_active
"""


@dataclass(frozen=True, slots=True)
class Agent:
    """A model with its instructions."""

    id: UUID
    name: str
    model: str
    fallback_model: str | None
    system_prompt: str
    temperature: float
    max_tokens: int
    provider: Provider


async def find_active_agent(database: Connection, name: str) -> Agent | None:
    """Return the agent if its row and the row of its provider are both active.

    Raises:
        psycopg.Error: the database cannot answer.
    """
    row = await (await database.execute(ACTIVE_AGENT, {"name": name})).fetchone()
    if row is None:
        return None
    return Agent(
        id=row["id"],
        name=row["name"],
        model=row["model_name"],
        fallback_model=row["fallback_model"],
        system_prompt=row["system_prompt"],
        temperature=row["temperature"],
        max_tokens=row["max_tokens"],
        provider=Provider(row["provider_name"], row["provider_type"], row["base_url"], row["api_key_env"]),
    )
