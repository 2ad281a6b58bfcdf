"""The variables that compose files give to services, with the line on which each stands.

A person who is told of a value must be able to find it: so each has its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doctor.resources.compose_nodes import FILE_NAMES, environment, mapping, services

MAX_VARIABLES = 5_000


@dataclass(frozen=True, slots=True)
class ComposeVariable:
    """One variable of one service. ``value`` is as written, None when Docker takes it from its own environment.

    ``is_built``: the image of the service is made from a folder here, so it is the target's own code.
    """

    service: str
    name: str
    value: str | None = field(repr=False)
    path: str
    line: int
    is_built: bool = False

    @property
    def is_literal(self) -> bool:
        """Whether the value stands in the file, and is not put in from another place."""
        return self.value is not None and "$" not in self.value.replace("$$", "")


@dataclass(frozen=True, slots=True)
class ComposeFiles:
    """What the compose files of a folder say. ``env_files`` are (service, path as written)."""

    variables: tuple[ComposeVariable, ...] = ()
    env_files: tuple[tuple[str, str], ...] = ()
    services: frozenset[str] = frozenset()


def read_compose(root: Path) -> ComposeFiles:
    """Read the compose files in ``root``; what cannot be read, or is none, says nothing."""
    variables, env_files, named = list[ComposeVariable](), list[tuple[str, str]](), set[str]()
    for name in FILE_NAMES:
        for service, node in services(root / name):
            named.add(service)
            parts = mapping(node)
            for variable, value, line in environment(parts):
                variables.append(ComposeVariable(service, variable, value, name, line, "build" in parts))
            env_files += [(service, path) for path in _env_files(parts.get("env_file"))]
    return ComposeFiles(tuple(variables[:MAX_VARIABLES]), tuple(env_files), frozenset(named))


def _env_files(node: Any) -> Iterator[str]:
    kind = getattr(node, "id", "")
    if kind == "scalar":
        yield str(node.value)
    for entry in node.value if kind == "sequence" else ():
        path = mapping(entry).get("path", entry)
        if path.id == "scalar":
            yield str(path.value)
