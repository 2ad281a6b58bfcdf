"""A target that is nothing but its settings of authentication, examined by every check of the family."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from doctor.commands.examination import Selection, choose, examine_open
from doctor.commands.output import registry
from doctor.model import CheckResult, Finding, Run
from doctor.resources.auth_settings import STAGE_VARIABLES
from doctor.target import Target

HOST_SETTINGS = STAGE_VARIABLES
"""Variables of the machine that runs the tests, which must not speak for the target."""


@dataclass(frozen=True)
class Examined:
    """A run, and what the tests ask of it."""

    run: Run

    def result(self, code: str) -> CheckResult:
        return next(result for result in self.run.before if result.code == code)

    def roots(self) -> list[str]:
        return [root.code for root in self.run.diagnosis.roots]

    def findings(self, code: str) -> tuple[Finding, ...]:
        return self.result(code).findings

    def finding(self, code: str) -> Finding:
        (found,) = self.findings(code)
        return found

    def subjects(self) -> list[str]:
        """Return for what the token is refused."""
        return [finding.subject for finding in self.findings("AUT011")]

    def effects(self) -> set[str]:
        explained = (effect.fingerprint for root in self.run.diagnosis.roots for effect in root.effects)
        return {self.run.finding(fingerprint).code for fingerprint in explained}

    def ruled_out(self) -> set[str]:
        return {each.hypothesis for each in self.run.diagnosis.ruled_out}


def write_settings(folder: Path, settings: dict[str, str]) -> None:
    lines = (f"{name}='{value}'\n" for name, value in settings.items())
    (folder / ".env").write_text("".join(lines), encoding="utf-8")


def examined(folder: Path, settings: dict[str, str], token: str | None = None, *, static: bool = False) -> Examined:
    """Examine a target with these variables in its ``.env``; with ``static`` its source too."""
    write_settings(folder, settings | ({} if token is None else {"GIVEN_TOKEN": token}))

    async def work() -> Run:
        token_env = None if token is None else "GIVEN_TOKEN"
        async with Target.at(folder, token_env=token_env) as target:
            chosen = choose(list(registry().checks.values()), Selection(("AUT",)), target)
            return await examine_open(target, [check for check in chosen if static or "live" in check.tags])

    return Examined(asyncio.run(work()))
