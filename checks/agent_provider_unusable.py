"""An active agent configuration, which no stage of the chain names, refers to a provider that cannot be used.

## What it finds
Active rows of the table of agent configurations whose provider is not named, does not exist, is inactive, or is known
to be broken. It needs no chain; agents that `[chain]` names are AGT001's.

## Why it hurts
An application that joins the two tables finds no row for such an agent, logs one line and returns. One that does not
sends its requests to a server that somebody has switched off.

## How it is told from its look-alikes
Tables of agents are known by their columns (`name`, `model_name`, `is_active`), their providers by a foreign key, or by
the one column with *provider* in its name. Agents that are inactive themselves are left alone, as is a table without
such a column.

## How to fix
Activate the provider (one column, but others may rely on its being off, so it is not done by itself), give the row one
that exists, or deactivate the agent.

## False positives
Rows that nobody uses any more and nobody has deactivated.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    AgentRow,
    Chain,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Observation,
    Resource,
    Role,
    Severity,
    agent_tables,
    check,
    counted,
)


@check("AGT002", "agent-provider-unusable", severity=Severity.WARNING, tags=["live"])
async def agent_provider_unusable(
    database: Database, chain: Chain | None = None
) -> AsyncIterator[Finding | Observation]:
    """Look at the provider of every active agent that the chain does not name."""
    tables = await agent_tables(database)
    named = {stage.agent for stage in chain.stages} if chain else set()
    others = [row for row in tables.rows if row.is_active and row.name not in named]
    for row in others:
        if problem := row.provider_problem:
            yield _finding(row, problem)
    if others:
        yield Observation(f"the providers of {counted(len(others), 'other agent')} looked up")


def _finding(row: AgentRow, problem: str) -> Finding:
    return Finding(
        code="AGT002",
        resource=Resource("agent", row.name),
        symptom=f"the active agent `{row.name}` in {row.table} cannot be used: {problem}",
        cause=problem,
        severity=Severity.WARNING,
        role=Role.ADVICE,
        subject=row.key,
        group=problem,
        evidence=(Evidence(EvidenceKind.SQL, row.table, f"model {row.model_name}; {problem}"),),
        rule="an active agent needs an active provider",
        fixes=(
            FixOption.by_hand("activate the provider, name another one, or deactivate the agent", "it is unused here"),
        ),
        validation="doctor check --select AGT002",
    )
