"""What stands around a project that has no configuration yet: variables, source, compose file, database catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from doctor.check import NotApplicableError
from doctor.resources.catalog import VectorColumn, tables_like, vector_columns
from doctor.resources.compose import find_compose
from doctor.resources.database import DatabaseError, DatabaseUnreachable
from doctor.source.index import SourceError
from doctor.target import Target
from doctor.task_graph import NodeKind, TaskGraph, task_graph

_ADDRESSES = {
    "database_env": re.compile(r"postgres(?:ql)?(?:\+\w+)?://"),
    "nats_env": re.compile(r"(?:nats|tls)://"),
}
"""Key of ``[target]`` → how the value of a variable begins that holds such an address."""

_DEAD_LETTERS = ("task", "error")
"""Columns of a table of dead letters, whatever its name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One task of a chain as the source shows it: its name, and the tables that it writes."""

    task: str
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was found. ``variables`` are names of variables by the key of ``[target]`` that they are for, each with its
    place; ``notes`` say what could not be looked at."""

    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    entry: str = ""
    steps: tuple[Step, ...] = ()
    compose: str = ""
    services: tuple[str, ...] = ()
    vectors: tuple[VectorColumn, ...] = ()
    dead_letter_tables: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


async def look_around(target: Target) -> Surroundings:
    """Look at everything that can be reached without being told; read only."""
    notes: list[str] = []
    variables = _variables(target)
    _use(target, variables)
    graph = await _graph(target, notes)
    entry, steps = longest_chain(graph) if graph is not None else ("", ())
    vectors, dead_letters = await _catalog(target, notes)
    compose = find_compose(target.root, lambda name: getattr(target.environment.get(name), "value", None))
    return Surroundings(
        variables,
        entry,
        steps,
        "" if compose is None else compose.path,
        () if compose is None else tuple(service.name for service in compose.services),
        vectors,
        dead_letters,
        tuple(notes),
    )


def _variables(target: Target) -> dict[str, dict[str, str]]:
    """Return the variables that hold addresses: those of the usual names, else those whose value looks like one."""
    names = target.configuration.target
    usual = {
        "database_env": names.database_env,
        "nats_env": names.nats_env,
        "ollama_env": names.ollama_env,
        "api_env": names.api_env,
        "embedding_model_env": names.embedding_model_env,
    }
    found: dict[str, dict[str, str]] = {}
    for key, known in usual.items():
        variable = target.variable(known)
        if variable is not None:
            found[key] = {variable.name: variable.origin}
        elif key in _ADDRESSES:
            like = [one for one in target.environment.from_files() if _ADDRESSES[key].match(one.value)]
            found[key] = {one.name: one.origin for one in like}
    return {key: named for key, named in found.items() if named}


def _use(target: Target, variables: dict[str, dict[str, str]]) -> None:
    """Let the target take its addresses from the variables that were found."""
    configuration = target.configuration
    names: dict[str, Any] = {key: tuple(named) for key, named in variables.items()}
    configured = replace(configuration, target=replace(configuration.target, **names))
    target.loaded = replace(target.loaded, configuration=configured)


async def _graph(target: Target, notes: list[str]) -> TaskGraph | None:
    try:
        return task_graph(await target.provide("source"))
    except (NotApplicableError, SourceError) as error:
        notes.append(f"source: {error}")
        return None


async def _catalog(target: Target, notes: list[str]) -> tuple[tuple[VectorColumn, ...], tuple[str, ...]]:
    try:
        database = await target.provide("database")
        vectors = [column for column in await vector_columns(database) if not column.partition]
        tables = [table.name for table in await tables_like(database, _DEAD_LETTERS)]
    except (NotApplicableError, DatabaseError, DatabaseUnreachable) as error:
        notes.append(f"database: {error}")
        return (), ()
    return tuple(vectors), tuple(tables)


def longest_chain(graph: TaskGraph) -> tuple[str, tuple[Step, ...]]:
    """Return the route from which most tasks follow one another, and these tasks, the nearest first."""
    chains = [
        (node.name, _followers(graph, node.name))
        for node in graph.nodes
        if node.kind is NodeKind.ROUTE and not node.name.startswith("GET ")
    ]
    entry, tasks = max(chains, key=lambda chain: len(chain[1]), default=("", []))
    if not tasks:
        return "", ()
    return entry, tuple(Step(task, tuple(_written_by(graph, task))) for task in tasks)


def _followers(graph: TaskGraph, route: str) -> list[str]:
    reached: dict[str, None] = {}
    frontier = [route]
    while frontier:
        cause = frontier.pop(0)
        for edge in graph.edges:
            effect = edge.effect
            if edge.cause.name == cause and effect.kind is NodeKind.TASK and effect.name not in reached:
                reached[effect.name] = None
                frontier.append(effect.name)
    return list(reached)


def _written_by(graph: TaskGraph, task: str) -> Iterable[str]:
    return (edge.effect.name for edge in graph.edges if edge.cause.name == task and edge.effect.kind is NodeKind.TABLE)
