"""The compose file beside the target: which services there are, by which names, and on which ports of this machine.

Variables are put in as Docker does (``${NAME:-default}``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doctor.file_names import visible
from doctor.resources.compose_nodes import FILE_NAMES, environment, mapping, plain, services

MAX_SERVICES = 200

_VARIABLE = re.compile(r"\$(?:\{(?P<name>\w+)(?::?-(?P<default>[^}]*))?[^}]*\}|(?P<bare>\w+))")
_PORT = re.compile(
    r"(?:(?:\d+\.[\d.]+|\[[0-9a-f:]+\]):)?(?:(?P<published>\d+):)?(?P<target>\d+)(?:/(?P<protocol>\w+))?"
)
"""One entry in the short form: address of this machine, its port, the service's port, the protocol."""

Lookup = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class ComposeService:
    """One service. ``names`` are those by which others in its networks find it; ``ports`` maps its own to ours."""

    name: str
    names: frozenset[str]
    ports: tuple[tuple[int, int], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    depends_on: frozenset[str] = frozenset()
    is_built: bool = False
    """Whether its image is made from a folder here: then it is the target's own code."""

    shares_host: bool = False
    """``network_mode: host``: its loopback is the machine's."""

    def published(self, port: int) -> int | None:
        """Return the port of this machine that leads to ``port`` of the service, or None."""
        return next((ours for theirs, ours in self.ports if theirs == port), None)


@dataclass(frozen=True, slots=True)
class ComposeProject:
    """The services of all compose files of one folder; ``path`` is the file that was read first, as it is shown."""

    path: str
    services: tuple[ComposeService, ...]

    def service(self, host: str) -> ComposeService | None:
        """Return the service that ``host`` means inside the network, or None."""
        return next((service for service in self.services if host.lower() in service.names), None)

    def neighbour(self, host: str) -> ComposeService | None:
        """Return a service from which ``host`` can be asked: one that depends on it, else one with our own code."""
        service = self.service(host)
        others = [each for each in self.services if each is not service]
        depending = [each for each in others if service is not None and service.name in each.depends_on]
        return next(iter([*depending, *(each for each in others if each.is_built), *others]), None)


def find_compose(root: Path, lookup: Lookup) -> ComposeProject | None:
    """Read the compose files in ``root``, else in the nearest folder above it in the same repository.

    Outside a repository nothing above ``root`` is anybody's business.

    ``lookup`` gives the variables that they refer to. What cannot be read, or is no compose file, is none.
    """
    folders = (root, *root.parents)
    top = next((place for place, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    for folder in folders[: top + 1]:
        if files := [folder / name for name in FILE_NAMES if (folder / name).is_file()]:
            return _project(files, root, lookup)
    return None


def _project(files: list[Path], root: Path, lookup: Lookup) -> ComposeProject | None:
    merged: dict[str, list[Any]] = {}
    for file in files:
        for name, service in services(file):
            merged.setdefault(name, []).append(service)
    found = tuple(_service(name, nodes, lookup) for name, nodes in list(merged.items())[:MAX_SERVICES])
    first = files[0]
    shown = str(first.relative_to(root)) if first.is_relative_to(root) else str(first)
    return ComposeProject(visible(shown), found) if found else None


def _service(name: str, nodes: list[Any], lookup: Lookup) -> ComposeService:
    """Put a service together from the files that speak of it."""
    parts = [part for node in nodes if isinstance(part := plain(node), dict)]
    names = {name, *(_text(part[key]) for part in parts for key in ("container_name", "hostname") if key in part)}
    names |= {alias for part in parts for alias in _aliases(part.get("networks"))}
    given = [(variable, value) for node in nodes for variable, value, _ in environment(mapping(node))]
    return ComposeService(
        name,
        frozenset(each.lower() for each in names if each),
        ports=tuple(pair for part in parts for entry in _list(part.get("ports")) for pair in _ports(entry, lookup)),
        environment=tuple((variable, _interpolated(value, lookup)) for variable, value in given if value is not None),
        depends_on=frozenset(_text(each) for part in parts for each in part.get("depends_on") or ()),
        is_built=any("build" in part for part in parts),
        shares_host=any(part.get("network_mode") == "host" for part in parts),
    )


def _aliases(networks: Any) -> Iterator[str]:
    for network in networks.values() if isinstance(networks, dict) else ():
        if isinstance(network, dict):
            yield from map(_text, _list(network.get("aliases")))


def _ports(entry: Any, lookup: Lookup) -> Iterator[tuple[int, int]]:
    """Yield (theirs, ours) of one entry, in the short form or the long one; ranges and UDP lead nowhere here."""
    if isinstance(entry, dict):
        theirs, ours = (_interpolated(_text(entry.get(key, "")), lookup) for key in ("target", "published"))
        if theirs.isdecimal() and ours.isdecimal():
            yield int(theirs), int(ours)
        return
    match = _PORT.fullmatch(_interpolated(_text(entry), lookup))
    if match is not None and match["published"] and match["protocol"] in (None, "tcp"):
        yield int(match["target"]), int(match["published"])


def _text(value: Any) -> str:
    """Return a scalar as text, and anything else as none: lists of lists of one list would never end."""
    return str(value) if isinstance(value, (str, int, float)) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _interpolated(text: str, lookup: Lookup) -> str:
    def value(match: re.Match[str]) -> str:
        return lookup(match["name"] or match["bare"]) or match["default"] or ""

    return _VARIABLE.sub(value, text)
