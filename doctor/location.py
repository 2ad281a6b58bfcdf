"""Where in a file to show a finding: its own place, else the line of the configuration that names what it is about.

Every finding has one, because programs that show findings beside the code refuse those without (GitHub refuses the
whole file).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.check import AREAS
from doctor.model import EvidenceKind, Finding, Run

_PLACE = re.compile(r"(?P<path>(?=[./]*[^\s:./])[^\s:][^:\n]*):(?P<line>[1-9]\d{0,8})")

_ENDPOINT_OF_AREA = {
    "database": "postgresql",
    "embeddings": "postgresql",
    "agents": "postgresql",
    "chain": "postgresql",
    "nats": "nats",
    "worker": "nats",
    "models": "models",
    "auth": "auth",
    "application": "api",
}
"""Area → the kind of outside system in which its findings are."""

_NO_MODELS = frozenset({"postgresql", "nats", "auth", "api"})

NO_CONFIGURATION = "doctor.toml:1"
"""Where what nothing names is shown: where the configuration would stand."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the repository; ``path`` is relative to its root, with slashes; both numbers count from 1."""

    path: str
    line: int = 1
    column: int | None = None


def location_of(finding: Finding, run: Run) -> Location:
    """Return the place of a finding."""
    resource = finding.resource
    if resource.path is not None and resource.path.strip("./"):
        of_source = resource.path.endswith((".py", ".pyi", ".pyw"))
        return _below(run, resource.path, resource.line or 1, resource.column, of_source=of_source)
    return _at(run, next(_configured(finding, run), NO_CONFIGURATION))


def location_of_area(area: str, run: Run) -> Location:
    """Return the place of what could not be told of an area."""
    return _at(run, next(_of_area(area, run), NO_CONFIGURATION))


def _configured(finding: Finding, run: Run) -> Iterator[str]:
    """Yield places, the most exact first."""
    places = run.target.places
    if place := places.get(finding.resource.key):
        yield place
    for evidence in finding.evidence:
        if evidence.kind in (EvidenceKind.CODE, EvidenceKind.CONFIG) and _PLACE.fullmatch(evidence.source):
            yield evidence.source
    stages = () if finding.stage is None else (f"stage:{finding.stage}",)
    for key in (*stages, *(related.key for related in finding.related)):
        if place := places.get(key):
            yield place
    yield from _of_area(AREAS.get(finding.code[:3], ""), run)


def _of_area(area: str, run: Run) -> Iterator[str]:
    kind = _ENDPOINT_OF_AREA.get(area)
    for endpoint in run.target.endpoints:
        own = "models" if endpoint.kind not in _NO_MODELS else endpoint.kind
        if own == kind and _PLACE.fullmatch(endpoint.origin):
            yield endpoint.origin
    for key in (kind, ""):
        if key is not None and (place := run.target.places.get(key)):
            yield place


def _at(run: Run, place: str) -> Location:
    match = _PLACE.fullmatch(place)
    assert match is not None, place
    return _below(run, match["path"], int(match["line"]), None, of_source=match["path"].endswith(".py"))


def _below(run: Run, path: str, line: int, column: int | None, *, of_source: bool) -> Location:
    folders = (run.target.repository_path, run.target.source_path if of_source else "")
    parts = (*folders, path.removeprefix("./"))
    return Location("/".join(part for one in parts if (part := one.strip("/"))), line, column)
