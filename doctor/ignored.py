"""``[[ignored]]`` in the configuration: findings that are accepted, by whom, why, and until when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from fnmatch import fnmatchcase

from doctor.configuration import IgnoredConfiguration, LoadedConfiguration, line_of
from doctor.model import CheckResult, Finding, Suppression, SuppressionKind
from doctor.silencing import out_of_date, was_asked


class Ignored:
    """A silencer: the entries of the configuration on a given day."""

    def __init__(self, loaded: LoadedConfiguration, today: date) -> None:
        self._path = "" if loaded.path is None else loaded.path.name
        self._today = today
        self._entries = [
            (each, line_of(loaded.text, ["ignored", number, "code"]) or 1)
            for number, each in enumerate(loaded.configuration.ignored)
        ]

    def covers(self, finding: Finding) -> Suppression | None:
        """Return the first entry that is still valid and means the finding."""
        for entry, line in self._entries:
            if self._is_valid(entry) and _means(entry, finding):
                owner = f" ({entry.owner})" if entry.owner else ""
                place = f"{self._path}:{line}"
                return Suppression(finding, place, entry.reason + owner, entry.until, SuppressionKind.CONFIGURATION)
        return None

    def out_of_date(self, results: Sequence[CheckResult]) -> Iterator[Finding]:
        """Report entries whose day is over, and those that mean nothing of what their checks found."""
        found = [finding for result in results for finding in result.findings]
        for entry, line in self._entries:
            what = f"{entry.code} {entry.resource}".removesuffix(" *")
            if not self._is_valid(entry):
                said = f"the entry for {what} ended on {entry.until}; what it ignored counts again"
                remedy = "set a new day after looking again, or delete the entry"
                yield out_of_date(what, self._path, line, said, remedy)
            elif was_asked(entry.code, results) and not any(_means(entry, finding) for finding in found):
                said = f"the entry for {what} ignores nothing that is found"
                yield out_of_date(what, self._path, line, said, "delete the entry")

    def _is_valid(self, entry: IgnoredConfiguration) -> bool:
        return entry.until is None or entry.until >= self._today


def _means(entry: IgnoredConfiguration, finding: Finding) -> bool:
    names = (finding.resource.key, finding.resource.id, finding.resource.path or "")
    return finding.code.startswith(entry.code) and any(fnmatchcase(name, entry.resource) for name in names)
