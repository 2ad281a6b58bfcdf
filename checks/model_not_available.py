"""A configured model does not exist on its server, or cannot do the job.

## What it finds
The model of an agent configuration that the chain names, or the embedding model of the environment, is not in the
server's own list, or lacks the capability that its role needs: a chat role must not be given an embedding model.

## Why it hurts
Each call answers 404; the task fails, is retried, and ends as a dead letter. In the log it looks like an outage.

## How it is told from its look-alikes
Names are compared as the server compares them: a name without a tag means `:latest`, upper and lower case are equal,
and `:8b` does not satisfy a request for the untagged name. The list comes from the server itself, so a wrong base URL
or a dead server is not mistaken for a missing model.

## How to fix
Point the row at the nearest model that the server has and that can do the job (safe, undo restores it), or pull the
model (unsafe: it downloads gigabytes).

## False positives
A model that is pulled on first use.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from doctor.api import (
    EMBEDDING_MODEL_VARIABLES,
    AgentRow,
    Applicability,
    Chain,
    Database,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    InstalledModel,
    Mechanism,
    Models,
    Observation,
    OllamaServer,
    Resource,
    Severity,
    agent_tables,
    check,
    nearest_capable,
    same_model,
    vector_columns,
)


@dataclass(frozen=True, slots=True)
class _Use:
    """One model in one role: who wants it, where, for which stage."""

    model: str
    capability: str
    stage: str | None
    wanted_by: Resource
    origin: str
    server: OllamaServer
    row: AgentRow | None = None


@check(
    "MOD001",
    "model-not-available",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[
        Mechanism("MOD001", "CHN001", "the model call answers 404 and the task gives up", ("stage",)),
        Mechanism("MOD001", "CHN002", "the model call answers 404 until the task gives up", ("agent",)),
        Mechanism("MOD001", "CHN004", "the model call answers 404 until the task gives up", ("agent",)),
        Mechanism("MOD001", "EMB001", "nothing is extracted or no vector is computed", ("stage",)),
    ],
)
async def model_not_available(
    database: Database, models: Models, chain: Chain, environment: Environment
) -> AsyncIterator[Finding | Observation]:
    """Compare every model in use with its server's own list."""
    uses = await _uses(database, models, chain, environment)
    servers = list({use.server.url: use.server for use in uses}.values())
    lists = await asyncio.gather(*(server.list() for server in servers))
    installed_on = {server.url: listed for server, listed in zip(servers, lists, strict=True)}
    found = []
    for use in uses:
        installed = installed_on[use.server.url]
        match = next((model for model in installed if same_model(model.name, use.model)), None)
        if match is None:
            yield _finding(use, installed, f"`{use.model}` is not on {use.server.endpoint.address}", "missing")
        elif match.capabilities and use.capability not in match.capabilities:
            can = ", ".join(sorted(match.capabilities))
            yield _finding(use, installed, f"`{use.model}` cannot do `{use.capability}`, only {can}", "incapable")
        else:
            found.append(f"{use.model} present")
    if found:
        yield Observation(" · ".join(dict.fromkeys(found)))


async def _uses(database: Database, models: Models, chain: Chain, environment: Environment) -> list[_Use]:
    uses = []
    tables = await agent_tables(database)
    for stage in chain.stages:
        for row in tables.named(str(stage.agent))[:1] if stage.agent else ():
            if row.provider is not None and row.provider.type not in (None, "ollama"):
                continue  # other kinds of providers have checks of their own
            url = row.provider.base_url if row.provider else None
            server = models.ollama(url) if url else models.default
            if server is not None:
                resource = Resource("agent", row.name)
                uses.append(_Use(row.model_name, "completion", stage.name, resource, row.table, server, row))
    variable = next((found for name in EMBEDDING_MODEL_VARIABLES if (found := environment.get(name))), None)
    if variable is not None and models.default is not None:
        stage_name = await _embedding_stage(database, chain)
        resource = Resource("variable", variable.name)
        uses.append(_Use(variable.value, "embedding", stage_name, resource, variable.origin, models.default))
    return uses


async def _embedding_stage(database: Database, chain: Chain) -> str | None:
    columns = {(column.table, column.column) for column in await vector_columns(database)}
    return next((stage.name for stage in chain.stages if (stage.table, stage.column) in columns), None)


def _finding(use: _Use, installed: tuple[InstalledModel, ...], symptom: str, subject: str) -> Finding:
    names = ", ".join(model.name for model in installed) or "none"
    return Finding(
        code="MOD001",
        resource=Resource("model", f"ollama/{use.model}"),
        symptom=f"{symptom}; {use.wanted_by.kind} `{use.wanted_by.id}` wants it",
        cause=f"{use.origin} names a model that the server does not have"
        if subject == "missing"
        else f"{use.origin} names a model for a job that it cannot do",
        severity=Severity.ERROR,
        stage=use.stage,
        subject=f"{subject} for {use.wanted_by.key}",
        group=use.model,
        impacts=(f"`{use.stage}` fails for every row",) if use.stage else (),
        related=(use.wanted_by,),
        evidence=(
            Evidence(EvidenceKind.HTTP, f"GET {use.server.endpoint.address}/api/tags", f"the server has: {names}"),
        ),
        rule="the server answers 404 for a model that it does not have",
        fixes=_fixes(use, installed, subject),
        validation="doctor check --select MOD001",
    )


def _fixes(use: _Use, installed: tuple[InstalledModel, ...], subject: str) -> tuple[FixOption, ...]:
    options = []
    best = nearest_capable(use.model, installed, use.capability)
    if use.row is not None and best is not None:
        row = use.row
        options.append(
            FixOption(
                fix="update-row",
                title=f"point `{row.name}` at `{best.name}`, which {use.server.endpoint.address} has",
                applicability=Applicability.SAFE,
                reason="one column of one existing row, to a model that is there and can do the job; undo restores it",
                arguments={
                    "table": row.table,
                    "key": {row.key_column: row.key},
                    "before": {"model_name": row.model_name},
                    "after": {"model_name": best.name},
                    "server": use.server.url,
                    "model": best.name if use.capability == "completion" else "",
                },
                recommended=True,
                tradeoff="another model gives other answers; pull the configured one where that matters",
            )
        )
    if subject == "missing":
        options.append(
            FixOption(
                fix="pull-model",
                title=f"pull `{use.model}`",
                applicability=Applicability.UNSAFE,
                reason="downloads gigabytes to the model server, and is not taken back by undo",
                arguments={"server": use.server.url, "model": use.model},
                recommended=not options,
                tradeoff="keeps the configured model",
            )
        )
    return tuple(options)
