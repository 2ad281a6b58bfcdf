"""The target's agent configurations and model providers: rows of tables that look like them.

An agent table has the columns name, model_name and is_active; its provider table is the one that a foreign key of it
leads to, or for want of one, its only column with *provider* in its name. Columns that may hold a key are never read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from doctor.late import sql
from doctor.resources.catalog import ForeignKey, Table, tables_like
from doctor.resources.database import Database

AGENT_COLUMNS = frozenset({"name", "model_name", "is_active"})
AGENT_READ = ("name", "model_name", "is_active", "fallback_model", "max_tokens", "system_prompt")
"""What is read of an agent, as far as its table has it."""

PROVIDER_COLUMNS = ("name", "type", "base_url", "is_active", "validation_status", "api_key_env")
PROVIDER_TYPE_COLUMNS = frozenset({"type"})
BROKEN = frozenset({"disconnected", "error", "failed", "invalid", "unreachable"})
"""Values of ``validation_status`` that say that a provider does not work; ``unknown`` and ``pending`` say nothing."""

ROWS_READ = 500


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """Where an agent's model is served. Fields are None where the table has no such column."""

    table: str
    key_column: str
    key: str
    name: str
    type: str | None
    base_url: str | None
    is_active: bool | None
    validation_status: str | None
    api_key_env: str | None

    @property
    def problem(self) -> str | None:
        """Why the application cannot use it, or None."""
        if self.is_active is False:
            return f"provider `{self.name}` is inactive"
        if self.validation_status in BROKEN:
            return f"provider `{self.name}` has validation status `{self.validation_status}`"
        return None


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent configuration. ``key_column`` and ``key`` identify the row in ``table`` (``schema.table``).

    ``provider_named`` is what the row says of its provider; None where it says nothing. ``has_providers`` is false
    where the table has no column for it.
    """

    table: str
    key_column: str
    key: str
    name: str
    model_name: str
    fallback_model: str | None
    is_active: bool
    provider: ProviderRow | None
    max_tokens: int | None = None
    prompt_characters: int = 0
    """The length of the system prompt; the prompt itself is nobody's business."""
    provider_named: str | None = None
    has_providers: bool = True

    @property
    def provider_problem(self) -> str | None:
        """Why its provider cannot be used, or None."""
        if not self.has_providers:
            return None
        if self.provider is not None:
            return self.provider.problem
        if self.provider_named is None:
            return "the row refers to no provider"
        return f"it names the provider `{self.provider_named}`, which does not exist"


@dataclass(frozen=True, slots=True)
class AgentTables:
    """All rows of all agent tables; ``tables`` is empty where the target has none."""

    tables: tuple[Table, ...]
    rows: tuple[AgentRow, ...]
    providers: tuple[ProviderRow, ...]

    def nearest(self, name: str) -> AgentRow | None:
        """Return the row whose name differs from this one the least; None where none is near."""
        by_name = {row.name: row for row in reversed(self.rows) if row.name != name}
        alike = [other for other in by_name if _folded(other) == _folded(name)]
        near = alike or get_close_matches(name, by_name, n=1)
        return by_name[near[0]] if near else None

    def named(self, name: str) -> tuple[AgentRow, ...]:
        """Return the rows of this name, active ones first."""
        return tuple(sorted((row for row in self.rows if row.name == name), key=lambda row: not row.is_active))


async def agent_tables(database: Database) -> AgentTables:
    """Read the agent tables and the provider tables that they refer to."""
    tables = await tables_like(database, AGENT_COLUMNS)
    rows: list[AgentRow] = []
    providers: dict[tuple[str, str], ProviderRow] = {}
    for table in tables:
        link = await _provider_link(database, table)
        if link is not None:
            for provider in await _providers(database, *link):
                providers[provider.table, provider.key] = provider
        rows += await _agents(database, table, None if link is None else link[0], providers)
    return AgentTables(tables, tuple(rows), tuple(providers.values()))


async def _provider_link(database: Database, agent: Table) -> tuple[ForeignKey, Table] | None:
    """Return how the rows of an agent table refer to their providers, and the table of these."""
    candidates = {(table.schema, table.table): table for table in await tables_like(database, PROVIDER_TYPE_COLUMNS)}
    for foreign_key in agent.foreign_keys:
        target = candidates.get((foreign_key.target_schema, foreign_key.target_table))
        if target is not None and "provider" in f"{foreign_key.columns[0]} {target.table}":
            return foreign_key, target
    return _by_names(agent, [table for table in candidates.values() if "provider" in table.table])


def _by_names(agent: Table, providers: Sequence[Table]) -> tuple[ForeignKey, Table] | None:
    """Return the link of a column without a foreign key: ``provider_id``, or a name."""
    columns = [column for column in agent.columns if "provider" in column]
    if len(columns) != 1 or len(providers) != 1:
        return None
    (column,), (provider,) = columns, providers
    targets = provider.primary_key if column.endswith("_id") else ("name",)
    if len(targets) != 1 or targets[0] not in provider.columns:
        return None
    return ForeignKey("", (column,), provider.schema, provider.table, targets), provider


async def _providers(database: Database, link: ForeignKey, table: Table) -> list[ProviderRow]:
    key = link.target_columns[0]
    rows = await _read(database, table, key, PROVIDER_COLUMNS)
    return [
        ProviderRow(
            table=table.name,
            key_column=key,
            key=row["key"],
            name=row.get("name") or row["key"],
            **{column: row.get(column) for column in PROVIDER_COLUMNS if column != "name"},
        )
        for row in rows
    ]


async def _agents(
    database: Database, table: Table, link: ForeignKey | None, providers: Mapping[tuple[str, str], ProviderRow]
) -> list[AgentRow]:
    key = table.primary_key[0] if table.primary_key else "name"
    reference = None if link is None else link.columns[0]
    columns = (*AGENT_READ, *((reference,) if reference else ()))
    rows = await _read(database, table, key, columns)
    provider_table = None if link is None else link.target
    return [
        AgentRow(
            table=table.name,
            key_column=key,
            key=row["key"],
            name=row["name"],
            model_name=row["model_name"] or "",
            fallback_model=row.get("fallback_model"),
            is_active=bool(row["is_active"]),
            provider=providers.get((str(provider_table), str(row.get(reference)))) if reference else None,
            provider_named=None if reference is None or row.get(reference) is None else str(row[reference]),
            has_providers=reference is not None,
            max_tokens=row["max_tokens"] if isinstance(row.get("max_tokens"), int) else None,
            prompt_characters=len(str(row.get("system_prompt") or "")),
        )
        for row in rows
    ]


def _folded(name: str) -> str:
    """Return a name without what is overlooked: case, spaces and marks."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


async def _read(database: Database, table: Table, key: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    wanted = [column for column in columns if column in table.columns]
    query = sql.SQL("SELECT {}::text AS key, {} FROM {} ORDER BY 1 LIMIT {}").format(
        sql.Identifier(key), sql.SQL(", ").join(map(sql.Identifier, wanted)), table.quoted, sql.Literal(ROWS_READ)
    )
    return await database.fetch(query)
