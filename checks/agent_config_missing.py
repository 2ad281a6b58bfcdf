"""A task needs an agent configuration that is not there, or not usable.

## What it finds
A stage of `[chain]` names an agent (`agent = "knowledge_extractor"`), and the table of agent configurations has no
row of that name, none that is active, several that are, or one whose provider is not named, does not exist, is
inactive, known to be broken, or without the key that it names.

## Why it hurts
The application looks for the *active* row of that *name*, finds none, logs one line and returns. The stage never
runs, and no error is raised: `No active agent config 'knowledge_extractor' found for knowledge extraction, skipping`.

## How it is told from its look-alikes
The row is read as the application selects it: by name, active, with its provider. A row that exists but is inactive,
a row under a similar name, and no row at all are three different repairs. A key counts as missing where neither `.env`
nor the environment of this process sets the variable that the provider's row names (`api_key_env`).

## How to fix
An inactive row is activated (safe: one column). A row whose name is nearly right is renamed (`--unsafe-fixes`: somebody
may look for it by that name). A missing row needs a prompt, which only you have: write it as `[agents.<name>]` into
`doctor.toml`, create it through the application, or copy a similar row.

## False positives
An agent that is switched off on purpose. Remove `agent` from its stage. A key that only the worker's own environment
holds.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from doctor.api import (
    JSON,
    AgentRow,
    AgentTables,
    Applicability,
    Chain,
    Database,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Observation,
    Resource,
    Role,
    Severity,
    Stage,
    agent_tables,
    check,
)


@check(
    "AGT001",
    "agent-config-missing",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[
        Mechanism("AGT001", "CHN001", "the task finds no active configuration and returns", ("agent", "stage")),
        Mechanism("AGT001", "EMB001", "nothing is extracted, so nothing is embedded", ("stage",)),
    ],
)
async def agent_config_missing(
    database: Database, chain: Chain, environment: Environment
) -> AsyncIterator[Finding | Observation]:
    """Look for the row of each agent that the chain names."""
    tables = await agent_tables(database)
    wanted = [stage for stage in chain.stages if stage.agent]
    for stage in wanted:
        problem = _problem(tables, stage, chain, environment)
        if problem is not None:
            yield problem
        active = [row for row in tables.named(str(stage.agent)) if row.is_active]
        if len(active) > 1:
            yield _ambiguous(stage, active)
    if wanted:
        yield Observation(f"agent {', '.join(sorted(str(stage.agent) for stage in wanted))} looked up")


def _problem(tables: AgentTables, stage: Stage, chain: Chain, environment: Environment) -> Finding | None:
    name = str(stage.agent)
    rows = tables.named(name)
    if not rows:
        fixes = (*_rename(tables, chain, name), *_insert(tables, chain, name))
        return _finding(stage, "missing", _missing(tables, name), "no row of this name", fixes)
    row = rows[0]
    if not row.is_active:
        words = f"no active row named `{name}` in {row.table} ({len(rows)} row, inactive)"
        return _finding(
            stage, "inactive", words, "the row is inactive", (_activate(row.name, row.table, row.key_column, row.key),)
        )
    problem = row.provider_problem
    if row.provider is None:
        words = f"the active row `{name}` in {row.table} has no provider: {problem}"
        return None if problem is None else _finding(stage, "orphan", words, problem, ())
    if problem:
        words = f"`{name}` uses {row.provider.name}, but {problem}"
        inactive = row.provider.is_active is False
        fix = _activate(row.provider.name, row.provider.table, row.provider.key_column, row.provider.key)
        return _finding(stage, "provider", words, problem, (fix,) if inactive else ())
    variable = row.provider.api_key_env
    if variable and not _is_set(environment, variable):
        words = f"`{name}` uses {row.provider.name}, whose key should be in {variable}, which nothing here sets"
        how = FixOption.by_hand(f"set {variable} where the worker runs", "only its owner has the key")
        return _finding(stage, "key", words, f"{variable} is not set", (how,))
    return None


def _is_set(environment: Environment, name: str) -> bool:
    variable = environment.get(name)
    return variable is not None and bool(variable.value)


def _ambiguous(stage: Stage, rows: list[AgentRow]) -> Finding:
    """Judge several active rows: they may differ in everything, and any of them may be taken."""
    name, table = str(stage.agent), rows[0].table
    words = f"{len(rows)} active rows named `{name}` in {table}: which one is taken is left to chance"
    how = FixOption.by_hand(f"deactivate all rows named `{name}` but one", "which of them is right only you know")
    found = _finding(stage, "duplicate", words, "nothing keeps the name unique", (how,))
    models = ", ".join(sorted({row.model_name for row in rows}))
    evidence = (Evidence(EvidenceKind.SQL, table, f"models: {models}"),)
    return replace(found, severity=Severity.WARNING, role=Role.ADVICE, impacts=(), evidence=evidence)


def _missing(tables: AgentTables, name: str) -> str:
    if not tables.tables:
        return f"no table of agent configurations, so no `{name}`"
    near = tables.nearest(name)
    return f"no row named `{name}` in {tables.tables[0].name}" + (
        f"; did somebody misspell it as `{near.name}`?" if near else ""
    )


def _finding(stage: Stage, subject: str, symptom: str, cause: str, fixes: tuple[FixOption, ...]) -> Finding:
    name = str(stage.agent)
    return Finding(
        code="AGT001",
        resource=Resource("agent", name),
        symptom=symptom,
        cause=cause,
        severity=Severity.ERROR,
        stage=stage.name,
        subject=subject,
        group=name,
        impacts=(f"`{stage.name}` never runs",),
        evidence=(Evidence(EvidenceKind.SQL, "agent configurations", symptom),),
        related=(Resource("stage", stage.name),),
        rule="the application selects the active row by its name",
        fixes=fixes,
        validation="doctor check --select AGT001",
    )


def _rename(tables: AgentTables, chain: Chain, name: str) -> tuple[FixOption, ...]:
    """Offer to rename the row whose name is nearly right, unless another stage is meant by it."""
    near = tables.nearest(name)
    if near is None or near.name in {stage.agent for stage in chain.stages}:
        return ()
    return (
        FixOption(
            fix="update-row",
            title=f"rename `{near.name}` in {near.table} to `{name}`",
            applicability=Applicability.UNSAFE,
            reason="somebody may look for the row by the name that it has; undo gives it back",
            arguments={
                "table": near.table,
                "key": {near.key_column: near.key},
                "before": {"name": near.name},
                "after": {"name": name},
            },
            recommended=True,
        ),
    )


def _insert(tables: AgentTables, chain: Chain, name: str) -> tuple[FixOption, ...]:
    """Offer a new row where doctor.toml holds its prompt and a usable provider exists."""
    template = next((agent for agent in chain.agents if agent.name == name), None)
    provider = next((provider for provider in tables.providers if provider.problem is None), None)
    if template is None or not tables.tables:
        return ()
    table = tables.tables[0]
    row: dict[str, JSON] = {"name": name, "model_name": template.model, "is_active": True}
    prompt = next((column for column in ("system_prompt", "prompt") if column in table.columns), None)
    if prompt is not None:
        row[prompt] = template.system_prompt
    link = next((key for key in table.foreign_keys if provider and provider.table.endswith(key.target_table)), None)
    if provider is not None and link is not None:
        row[link.columns[0]] = provider.key
    return (
        FixOption(
            fix="insert-row",
            title=f"insert `{name}` into {table.name}, with the prompt and model of doctor.toml",
            applicability=Applicability.UNSAFE,
            reason="a new row decides what the pipeline says to the model; undo removes it while nobody changed it",
            arguments={"table": table.name, "row": row, "key": list(table.primary_key), "unique": "name"},
            recommended=tables.nearest(name) is None,
        ),
    )


def _activate(name: str, table: str, column: str, key: str) -> FixOption:
    return FixOption(
        fix="update-row",
        title=f"activate `{name}`: {table}.is_active = true",
        applicability=Applicability.SAFE,
        reason="one boolean of one existing row; undo restores it",
        arguments={"table": table, "key": {column: key}, "before": {"is_active": False}, "after": {"is_active": True}},
        recommended=True,
    )
