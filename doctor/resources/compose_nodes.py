"""The services of a compose file as nodes of YAML, which know their lines; what is made of them is up to the reader.

Read with PyYAML's safe loader, bounded, and never run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doctor.redaction import redact

if TYPE_CHECKING:
    import yaml

FILE_NAMES = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
)
"""In the order in which Docker reads them: what overrides comes last."""

MAX_BYTES = 300_000
MAX_MERGES = 5
"""Mappings that are merged into one another (``<<``), followed no deeper than this."""


def services(file: Path) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the services of a compose file by name; what cannot be read, or is no compose file, has none."""
    import yaml

    try:
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            return
        document = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return
    for name, node in mapping(mapping(document).get("services")).items():
        yield redact(name), node


def mapping(node: Any, depth: int = 0) -> dict[str, Any]:
    """Return the entries of a mapping node by key; merged ones (``<<``) count where the key is not given."""
    found: dict[str, Any] = {}
    if getattr(node, "id", "") != "mapping" or depth > MAX_MERGES:
        return found
    for key, value in node.value:
        if key.value == "<<":
            for merged in value.value if value.id == "sequence" else [value]:
                found = {**mapping(merged, depth + 1), **found}
        elif isinstance(key.value, str):
            found[key.value] = value
    return found


def environment(service: dict[str, Any]) -> Iterator[tuple[str, str | None, int]]:
    """Yield name, value and line of a service's variables, from a mapping or from a list of ``NAME=value``.

    A value is as written; None where Docker takes it from its own environment.
    """
    node: Any = service.get("environment")
    if getattr(node, "id", "") == "sequence":
        for entry in node.value:
            if entry.id == "scalar":
                name, equals, value = str(entry.value).partition("=")
                yield name, value if equals else None, entry.start_mark.line + 1
        return
    for name, value in mapping(node).items():
        is_null = value.tag.endswith(":null")
        if value.id == "scalar":
            yield name, None if is_null else str(value.value), value.start_mark.line + 1


def plain(node: Any) -> Any:
    """Return a node as lists, mappings and texts; what is none of them, or too deep, is None."""
    import yaml

    try:
        return yaml.SafeLoader("").construct_document(node)
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
