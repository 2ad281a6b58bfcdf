"""The baseline: what was known to be wrong on a day, one line each, to be kept in the repository and reviewed there.

An entry is found again by the finding's fingerprint, which survives moved lines, and holds as long as the finding has
not become worse.

Errors:
    BaselineError: the file is missing, or is no baseline; the message says where and what to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from doctor.level import Level
from doctor.model import CheckResult, Finding, Severity, Suppression, SuppressionKind
from doctor.redaction import bounded, redact
from doctor.silencing import out_of_date, was_asked

SCHEMA_VERSION = "1"

NAMED = 5
"""Entries that a sentence names; the others are counted."""


class BaselineError(Exception):
    """The baseline cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding that is known; ``value`` is that of its metric, ``symptom`` what was seen when it was accepted."""

    code: str
    resource: str
    fingerprint: str
    severity: Severity
    value: float | None
    since: date
    symptom: str

    @property
    def level(self) -> Level:
        """How bad it was."""
        return Level(self.severity, self.value)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The entries, in the order of the file: by code, resource and fingerprint."""

    entries: tuple[Entry, ...] = ()

    def updated(self, findings: Iterable[Finding], results: Sequence[CheckResult], today: date) -> Baseline:
        """Return it with these findings, each as bad as it is now, and without those that ``results`` miss."""
        since = {entry.fingerprint: entry.since for entry in self.entries}
        present = {finding.fingerprint: _entry(finding, since.get(finding.fingerprint, today)) for finding in findings}
        unasked = {entry.fingerprint: entry for entry in self.entries if not was_asked(entry.code, results)}
        return _sorted((unasked | present).values())

    def pruned(self, findings: Iterable[Finding], results: Sequence[CheckResult]) -> Baseline:
        """Return it without the entries whose checks ran and found nothing."""
        present = {finding.fingerprint for finding in findings}
        return replace(self, entries=tuple(one for one in self.entries if not _is_gone(one, present, results)))

    def gone(self, findings: Iterable[Finding], results: Sequence[CheckResult]) -> tuple[Entry, ...]:
        """Return the entries whose checks ran and found nothing."""
        present = {finding.fingerprint for finding in findings}
        return tuple(one for one in self.entries if _is_gone(one, present, results))


def _is_gone(entry: Entry, present: set[str], results: Sequence[CheckResult]) -> bool:
    return entry.fingerprint not in present and was_asked(entry.code, results)


def _entry(finding: Finding, since: date) -> Entry:
    level = Level.of(finding)
    symptom = bounded(redact(finding.symptom), 200)
    return Entry(finding.code, finding.resource.key, finding.fingerprint, level.severity, level.value, since, symptom)


def _sorted(entries: Iterable[Entry]) -> Baseline:
    return Baseline(tuple(sorted(entries, key=lambda entry: (entry.code, entry.resource, entry.fingerprint))))


def dumps(baseline: Baseline) -> str:
    """Return the file's text: one entry a line, so that a review shows what was added and what went."""
    lines = [json.dumps(asdict(entry), ensure_ascii=False, default=date.isoformat) for entry in baseline.entries]
    entries = "".join(f"\n    {line}," for line in lines).removesuffix(",")
    return f'{{\n  "schema_version": "{SCHEMA_VERSION}",\n  "entries": [{entries}\n  ]\n}}\n'


def load(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        BaselineError: the file is not there, or is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data: Any = json.loads(text)
    except FileNotFoundError as error:
        raise BaselineError(f"{path}: there is no baseline; `doctor baseline create` makes one") from error
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise BaselineError(f"{path}:{error.lineno}: is no JSON: {error.msg}; correct the line") from error
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{path}: is no baseline: {type(error).__name__}") from error
    return _validated(path, data)


def _validated(path: Path, data: Any) -> Baseline:
    from pydantic import TypeAdapter, ValidationError  # 200 ms, which only a run with a baseline pays

    if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
        raise BaselineError(f"{path}: is no baseline of version {SCHEMA_VERSION}; `doctor baseline update` is for one")
    try:
        return _sorted(TypeAdapter(tuple[Entry, ...]).validate_python(data.get("entries")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("entries", *first["loc"])))
        raise BaselineError(f"{path}: {where}: {first['msg']}; correct the entry, or delete its line") from error


class Known:
    """A silencer: the entries of a baseline, as far as nothing has become worse."""

    def __init__(self, baseline: Baseline, place: str) -> None:
        self._entries = {entry.fingerprint: entry for entry in baseline.entries}
        self._baseline = baseline
        self._place = place

    def covers(self, finding: Finding) -> Suppression | None:
        """Return the entry of the finding, unless the finding is worse than it."""
        entry = self._entries.get(finding.fingerprint)
        if entry is None or entry.level.is_exceeded_by(finding):
            return None
        return Suppression(finding, self._place, f"known since {entry.since}", kind=SuppressionKind.BASELINE)

    def out_of_date(self, results: Sequence[CheckResult]) -> Iterator[Finding]:
        """Report the entries that are gone, in one sentence."""
        found = [finding for result in results for finding in result.findings]
        gone = self._baseline.gone(found, results)
        if gone:
            named = ", ".join(f"{entry.code} {entry.resource}" for entry in gone[:NAMED])
            more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
            said = f"{len(gone)} of {len(self._entries)} entries of the baseline are gone: {named}{more}"
            yield out_of_date(self._place, self._place, 1, said, "doctor baseline prune", Severity.INFO)


class LastRun:
    """A silencer: what the last recorded run had found already, as far as it has not become worse."""

    def __init__(self, run_id: str, findings: Iterable[Finding]) -> None:
        self._levels = {finding.fingerprint: Level.of(finding) for finding in findings}
        self._place = f"run {run_id}"

    def covers(self, finding: Finding) -> Suppression | None:
        """Return the last run as the reason where it had the finding."""
        level = self._levels.get(finding.fingerprint)
        if level is None or level.is_exceeded_by(finding):
            return None
        return Suppression(finding, self._place, "found by the last run already", kind=SuppressionKind.LAST_RUN)

    def out_of_date(self, results: Sequence[CheckResult]) -> Iterator[Finding]:
        """Report nothing: a run is what it was."""
        yield from ()
