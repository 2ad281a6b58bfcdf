"""Mutes: findings that nobody wants to hear of for a while. They end by themselves, at their time, when the finding is
gone, or when it becomes worse, and are told of in every run.

Kept in ``.doctor/mutes.json`` of the target, which git ignores: who mutes an alarm does not change the project.

Errors:
    MuteError: the file is not one of mutes; the message says what to do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from doctor.level import Level
from doctor.model import CheckResult, Finding, Suppression, SuppressionKind
from doctor.silencing import was_asked


class MuteError(Exception):
    """The mutes of a target cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Mute:
    """One decision: a code or prefix, a pattern of resources, an end, and how bad each finding was that it meant."""

    code: str
    resource: str
    until: datetime
    reason: str
    levels: dict[str, Level]

    def means(self, finding: Finding) -> bool:
        """Tell whether the decision is about this finding, however bad it is."""
        names = (finding.resource.key, finding.resource.id)
        return finding.code.startswith(self.code) and any(fnmatchcase(name, self.resource) for name in names)

    def holds_for(self, finding: Finding, now: datetime) -> bool:
        """Tell whether the finding is muted: it was known when somebody decided, and is not worse than it was."""
        level = self.levels.get(finding.fingerprint)
        return now < self.until and level is not None and not level.is_exceeded_by(finding)

    @property
    def shown(self) -> str:
        """Code and pattern, as a person would name it."""
        return f"{self.code} {self.resource}".removesuffix(" *")


class MuteStore:
    """The mutes of one target."""

    def __init__(self, root: Path) -> None:
        self.path = root / ".doctor" / "mutes.json"

    def load(self) -> tuple[Mute, ...]:
        """Return the mutes, the first to end first.

        Raises:
            MuteError: the file cannot be read, or is not one of mutes.
        """
        try:
            text = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise MuteError(f"{self.path}: cannot be read: {error.strerror}") from error
        from pydantic import AwareDatetime, TypeAdapter, ValidationError  # noqa: F401 - 200 ms, which only mutes cost

        try:
            mutes = TypeAdapter(tuple[Mute, ...]).validate_json(text)
        except ValidationError as error:
            raise MuteError(f"{self.path}: holds no mutes: {error.errors()[0]['msg']}; delete the file") from error
        return tuple(sorted(mutes, key=lambda mute: mute.until))

    def save(self, mutes: Sequence[Mute]) -> None:
        """Write the mutes in one step.

        Raises:
            MuteError: the file cannot be written.
        """
        partial = self.path.with_suffix(f".{os.getpid()}.partial")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignore = self.path.parent / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            text = json.dumps(
                [asdict(mute) for mute in mutes], indent=1, ensure_ascii=False, default=datetime.isoformat
            )
            partial.write_text(text + "\n", encoding="utf-8")
            partial.replace(self.path)
        except OSError as error:
            raise MuteError(f"{self.path}: cannot be written: {error.strerror}") from error


def mute(code: str, resource: str, until: datetime, reason: str, findings: Sequence[Finding]) -> Mute:
    """Return a mute of those of ``findings`` that it means, each as bad as it is now.

    Raises:
        MuteError: none of them is meant.
    """
    new = Mute(code, resource, until, reason, {})
    meant = {finding.fingerprint: Level.of(finding) for finding in findings if new.means(finding)}
    if not meant:
        raise MuteError(f"the last run found nothing of {new.shown}; `doctor check` first, then mute what it finds")
    return Mute(code, resource, until, reason, meant)


class Muted:
    """A silencer: the mutes of a target at a given time."""

    def __init__(self, mutes: Sequence[Mute], now: datetime) -> None:
        self._mutes = mutes
        self._now = now

    def covers(self, finding: Finding) -> Suppression | None:
        """Return the first mute that holds for the finding."""
        for each in self._mutes:
            if each.holds_for(finding, self._now):
                place = f"doctor mute {each.shown}"
                return Suppression(finding, place, each.reason, each.until.date(), SuppressionKind.MUTE)
        return None

    def out_of_date(self, results: Sequence[CheckResult]) -> Iterator[Finding]:
        """Report nothing: a mute ends by itself."""
        yield from ()

    def left(self, found: Sequence[Finding], results: Sequence[CheckResult]) -> tuple[Mute, ...]:
        """Return the mutes without those whose time is over, whose findings are gone, or of which one is worse."""
        by_fingerprint = {finding.fingerprint: finding for finding in found}
        return tuple(
            each for each in self._mutes if self._now < each.until and not _is_settled(each, by_fingerprint, results)
        )


def _is_settled(each: Mute, found: dict[str, Finding], results: Sequence[CheckResult]) -> bool:
    present = [found[fingerprint] for fingerprint in each.levels if fingerprint in found]
    if any(each.levels[finding.fingerprint].is_exceeded_by(finding) for finding in present):
        return True
    return not present and was_asked(each.code, results)
