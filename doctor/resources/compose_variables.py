"""The variables that compose files give to services, with the line on which each stands.

Read with PyYAML's safe loader as nodes, so that lines are known; bounded, and never run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doctor.redaction import redact
from doctor.resources.compose import FILE_NAMES, MAX_BYTES

if TYPE_CHECKING:
    import yaml

MAX_VARIABLES = 5_000
MAX_MERGES = 5
"""Mappings that are merged into one another (``<<``), followed no deeper than this."""


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
    variables, env_files, services = list[ComposeVariable](), list[tuple[str, str]](), set[str]()
    for name in FILE_NAMES:
        for service, node in _services(root / name):
            services.add(service)
            parts = _mapping(node)
            for variable, value, line in _environment(parts.get("environment")):
                variables.append(ComposeVariable(service, variable, value, name, line, "build" in parts))
            env_files += [(service, path) for path in _env_files(parts.get("env_file"))]
    return ComposeFiles(tuple(variables[:MAX_VARIABLES]), tuple(env_files), frozenset(services))


def _services(file: Path) -> Iterator[tuple[str, yaml.Node]]:
    import yaml

    try:
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            return
        document = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return
    for name, node in _mapping(_mapping(document).get("services")).items():
        yield redact(name), node


def _mapping(node: Any, depth: int = 0) -> dict[str, Any]:
    """Return the entries of a mapping node by key; merged ones (``<<``) count where the key is not given."""
    found: dict[str, Any] = {}
    if getattr(node, "id", "") != "mapping" or depth > MAX_MERGES:
        return found
    for key, value in node.value:
        if key.value == "<<":
            for merged in value.value if value.id == "sequence" else [value]:
                found = {**_mapping(merged, depth + 1), **found}
        elif isinstance(key.value, str):
            found[key.value] = value
    return found


def _environment(node: Any) -> Iterator[tuple[str, str | None, int]]:
    """Yield name, value and line, from a mapping or from a list of ``NAME=value``."""
    if getattr(node, "id", "") == "sequence":
        for entry in node.value:
            name, equals, value = str(entry.value).partition("=")
            yield name, value if equals else None, entry.start_mark.line + 1
        return
    for name, value in _mapping(node).items():
        is_null = value.tag.endswith(":null")
        if value.id == "scalar":
            yield name, None if is_null else str(value.value), value.start_mark.line + 1


def _env_files(node: Any) -> Iterator[str]:
    kind = getattr(node, "id", "")
    if kind == "scalar":
        yield str(node.value)
    for entry in node.value if kind == "sequence" else ():
        path = _mapping(entry).get("path", entry)
        if path.id == "scalar":
            yield str(path.value)
