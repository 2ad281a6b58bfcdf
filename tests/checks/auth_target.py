"""A target that is nothing but its settings of authentication, examined by every check of the family."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from doctor.commands.examination import Selection, choose, examine_open
from doctor.commands.output import registry
from doctor.model import CheckResult, Finding, Run
from doctor.resources.auth import Auth
from doctor.resources.auth_settings import STAGE_VARIABLES
from doctor.target import Target

HOST_SETTINGS = STAGE_VARIABLES
"""Variables of the machine that runs the tests, which must not speak for the target."""

PATIENCE = 30.0
"""Seconds that no answer of a stand-in takes, however busy the machine is."""


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


class TimedTarget(Target):
    """A target whose identity provider is asked with a patience and a clock of the test's."""

    patience = PATIENCE
    clock: Callable[[], float] = time.time

    def _auth(self) -> Auth:
        return Auth(super()._auth().settings, timeout=self.patience, clock=self.clock)


def examined(
    folder: Path,
    settings: dict[str, str],
    token: str | None = None,
    *,
    static: bool = False,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.time,
) -> Examined:
    """Examine a target with these variables in its ``.env``; with ``static`` its source too.

    ``patience`` is how many seconds a question may take: a busy machine is none of the failures that are looked for.
    """
    write_settings(folder, settings | ({} if token is None else {"GIVEN_TOKEN": token}))

    async def work() -> Run:
        token_env = None if token is None else "GIVEN_TOKEN"
        async with TimedTarget.at(folder, token_env=token_env) as target:
            assert isinstance(target, TimedTarget)
            target.patience, target.clock = patience, clock
            chosen = choose(list(registry().checks.values()), Selection(("AUT",)), target)
            wanted = [check for check in chosen if static or "live" in check.tags]
            return await examine_open(target, wanted, timeout=2 * PATIENCE)

    return Examined(asyncio.run(work()))
