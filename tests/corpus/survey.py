"""Runs every static check over a package with the command that users run, and counts what was read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doctor.source.index import Source
from tests.corpus.sources import CorpusError, Package

GATING = frozenset({"error", "critical"})
"""Severities of which each finding needs a verdict."""

_DOCTOR = Path(sys.executable).with_name("doctor")
_LIMITS = Path(__file__).with_name("doctor.toml")
_OPTIONS = ("--tag", "static", "--offline", "--fail-on", "never", "--format", "json", "--config", str(_LIMITS))
_DEADLINE = 400.0


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """One finding: where, of which check, how severe."""

    package: str
    version: str
    code: str
    path: str
    line: int
    severity: str
    symptom: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What the doctor read of a package, and what it found there. ``tasks`` are counted by library."""

    package: Package
    files: int
    tasks: Counter[str]
    enqueues: int
    routes: int
    hits: tuple[Hit, ...]

    @property
    def gating(self) -> tuple[Hit, ...]:
        """The findings that need a verdict."""
        return tuple(hit for hit in self.hits if hit.severity in GATING)


def check(root: Path, *options: str) -> dict[str, Any]:
    """Return the JSON document of ``doctor check``.

    Raises:
        CorpusError: when a check could not tell, or the command failed.
    """
    command = [str(_DOCTOR), "check", str(root), *_OPTIONS, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE, check=False)
    if done.returncode not in (0, 3) or not done.stdout:
        raise CorpusError(f"doctor check {root.name} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    unknown = [f"{code}: {one['reason']}" for code, one in document["checks"].items() if one["status"] == "unknown"]
    if unknown:
        raise CorpusError(f"{root.name}: {len(unknown)} checks could not tell; {unknown[0]}")
    return document


def survey(package: Package) -> Survey:
    """Check a package and count what was read of it."""
    hits = tuple(sorted(_hit(package, found) for found in check(package.folder)["findings"]))
    source = Source.read(package.folder)
    tasks = Counter(task.library or "" for task in source.tasks())
    return Survey(package, len(source.files), tasks, len(source.enqueues()), len(source.routes()), hits)


def _hit(package: Package, found: dict[str, Any]) -> Hit:
    resource = found["resource"]
    place = (resource.get("path") or "", resource.get("line") or 0)
    return Hit(package.name, package.version, found["code"], *place, found["severity"], found["symptom"])
