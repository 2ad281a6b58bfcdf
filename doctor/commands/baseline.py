"""``doctor baseline``: accept what the last run found, in a file that is kept in the repository and reviewed there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from doctor.baseline import Baseline, BaselineError, dumps, load
from doctor.commands.list import table
from doctor.commands.options import configuration_option, open_target, path_argument, presentation_options
from doctor.commands.output import Output, write_file
from doctor.commands.silencers import baseline_path, last_run
from doctor.model import Finding, Run, SuppressionKind
from doctor.silencing import OUT_OF_DATE
from doctor.verdict import ExitCode
from doctor.wording import counted

_NOT_ACCEPTED = (SuppressionKind.COMMENT, SuppressionKind.CONFIGURATION, SuppressionKind.MUTE)
"""What was left out by these has a decision of its own already."""


@click.group("baseline")
def baseline_command() -> None:
    """Keep what is known to be wrong in a file, so that `doctor check --only-new` tells only what is new or worse.

    Every command takes what the last recorded run found. Keep the file in the repository: one entry a line, sorted, so
    that a review shows what was accepted.

    \b
    doctor check; doctor baseline create     accept what there is today
    doctor check --only-new                  the gate: only what is new or worse
    doctor baseline update                   accept what is new, forget what is gone
    """


@dataclass(frozen=True, slots=True)
class Situation:
    """A baseline's file, and the last run of its target."""

    path: Path
    run: Run

    def load(self) -> Baseline:
        """Read the file.

        Raises:
            click.UsageError: it is missing, or no baseline.
        """
        try:
            return load(self.path)
        except BaselineError as error:
            raise click.UsageError(str(error)) from error

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What can be accepted of what the last run found.

        Not what others have decided about, nor the decisions themselves; and not what kept other checks from looking,
        or the gate would be green without having looked.
        """
        decided = {one.finding.fingerprint for one in self.run.suppressions if one.kind in _NOT_ACCEPTED}
        never = {OUT_OF_DATE, *self.blocking}
        return tuple(one for one in self.run.found if one.fingerprint not in decided and one.code not in never)

    @property
    def blocking(self) -> tuple[str, ...]:
        """The codes of what the last run found that kept other checks from looking."""
        blockers = {result.blocked_by for result in self.run.current}
        return tuple(sorted({finding.code for finding in self.run.found if finding.code in blockers}))

    @property
    def not_accepted(self) -> str:
        """Say what is never accepted, if the last run found any of it."""
        if not self.blocking:
            return ""
        return f"; not accepted: {', '.join(self.blocking)}, which kept other checks from looking"

    def write(self, baseline: Baseline) -> None:
        """Write the file in one step."""
        write_file(self.path, dumps(baseline))


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        path_argument,
        click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The file."),
        configuration_option,
        presentation_options,
    ):
        command = option(command)
    return command


def _situation(path: Path, baseline: Path | None, configuration: Path | None) -> Situation:
    target = open_target(path, configuration)
    return Situation(baseline_path(target, baseline), last_run(target))


@baseline_command.command("create")
@_options
def create(path: Path, baseline: Path | None, configuration: Path | None, output: Output) -> int:
    """Write a new baseline of everything that the last run found."""
    situation = _situation(path, baseline, configuration)
    if situation.path.exists():
        raise click.UsageError(f"{situation.path} is there already; `doctor baseline update` brings it up to date")
    new = Baseline().updated(situation.findings, situation.run.current, _today())
    situation.write(new)
    accepted = f"{counted(len(new.entries), 'finding')} of run {situation.run.id} accepted"
    output.say(f"{situation.path}: {accepted}{situation.not_accepted}")
    return int(ExitCode.OK)


@baseline_command.command("update")
@_options
def update(path: Path, baseline: Path | None, configuration: Path | None, output: Output) -> int:
    """Accept what is new or worse, forget what is gone.

    Entries whose checks the last run did not answer stay as they are.
    """
    situation = _situation(path, baseline, configuration)
    old = situation.load()
    new = old.updated(situation.findings, situation.run.current, _today())
    situation.write(new)
    before, after = ({one.fingerprint: one for one in each.entries} for each in (old, new))
    added, gone = len(after.keys() - before.keys()), len(before.keys() - after.keys())
    changed = sum(before[one].level != after[one].level for one in after.keys() & before.keys())
    counts = f"{added} added, {changed} changed, {gone} gone, {len(new.entries)} in all"
    output.say(f"{situation.path}: {counts}{situation.not_accepted}")
    return int(ExitCode.OK)


@baseline_command.command("prune")
@_options
def prune(path: Path, baseline: Path | None, configuration: Path | None, output: Output) -> int:
    """Take out the entries that the last run looked for and did not find; accept nothing."""
    situation = _situation(path, baseline, configuration)
    old = situation.load()
    new = old.pruned(situation.findings, situation.run.current)
    situation.write(new)
    output.say(f"{situation.path}: {len(old.entries) - len(new.entries)} gone, {len(new.entries)} in all")
    return int(ExitCode.OK)


@baseline_command.command("show")
@_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(path: Path, baseline: Path | None, configuration: Path | None, form: str, output: Output) -> int:
    """List the entries, and what the last run says of each: known, worse, gone, or not asked."""
    situation = _situation(path, baseline, configuration)
    rows = [(asdict(entry), state) for entry, state in _states(situation)]
    if form == "json":
        document = [entry | {"state": state} for entry, state in rows]
        output.write(json.dumps(document, indent=1, ensure_ascii=False, default=date.isoformat) + "\n")
        return int(ExitCode.OK)
    told = [(state, entry["code"], str(entry["since"]), entry["severity"], entry["symptom"]) for entry, state in rows]
    for line in table(told).splitlines() or ["no entries"]:
        output.say(line)
    return int(ExitCode.OK)


def _states(situation: Situation) -> list[tuple[Any, str]]:
    baseline = situation.load()
    found = {finding.fingerprint: finding for finding in situation.run.found}
    gone = {entry.fingerprint for entry in baseline.gone(situation.run.found, situation.run.current)}
    states = []
    for entry in baseline.entries:
        finding = found.get(entry.fingerprint)
        if finding is not None:
            states.append((entry, "worse" if entry.level.is_exceeded_by(finding) else "known"))
        else:
            states.append((entry, "gone" if entry.fingerprint in gone else "not asked"))
    return states


def _today() -> date:
    return datetime.now(UTC).date()
