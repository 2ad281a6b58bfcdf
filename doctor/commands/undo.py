"""``doctor undo``: take the repairs of a run back, last first."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import click
import psycopg

from doctor.canary_cleanup import sweep
from doctor.commands.options import (
    configuration_option,
    open_target,
    path_option,
    presentation_options,
    require_permission,
    target_option,
)
from doctor.commands.output import Output
from doctor.fix import FixError
from doctor.journal import Journal, JournalError, in_reverse
from doctor.model import RepairStatus
from doctor.record import RecordError, RunStore
from doctor.resources.unreachable import ResourceUnreachable
from doctor.target import NotConfiguredError, Target
from doctor.verdict import ExitCode
from doctor.writers import Undo

LASTING = {
    "published": "what {task} did after it was enqueued",
    "pulled": "model {model} on its server",
    "dropped": "index {name} is dropped; it was invalid",
}
"""Journalled steps that have no inverse, and how to speak of them."""

TAKEN_BACK = (RepairStatus.VERIFIED, RepairStatus.PARTIAL, RepairStatus.RESTART_NEEDED)
"""What a repair may have been called before it was taken back."""


@click.command("undo")
@click.argument("run_id", metavar="[RUN]", required=False)
@path_option
@target_option
@configuration_option
@presentation_options
def undo_command(
    run_id: str | None, path: Path, target_name: str | None, configuration: Path | None, output: Output
) -> int:
    """Take back what `doctor fix` wrote in RUN (default: the last run that wrote anything).

    Files return byte for byte, rows column by column. What somebody changed since is left alone and named; the rest
    is taken back. Canaries of a `doctor verify` that was killed are removed too.

    \b
    Exit codes: 0 all taken back, or nothing to do   1 something was left alone   2 no such run
    """
    target = open_target(path, configuration)
    require_permission(target, target_name)
    store = RunStore(target.root)
    swept = asyncio.run(_sweep(open_target(path, configuration), output)) if run_id is None else 0
    try:
        run_id = run_id or last_with_journal(store)
    except JournalError as error:
        raise click.UsageError(f"{error}; name the run that is to be undone") from error
    if run_id is None:
        if not swept:
            output.write("nothing to undo: nothing that a run here wrote still stands\n")
        return int(ExitCode.OK)
    journal = Journal(store.folder / run_id / "journal.jsonl")
    if not journal.path.exists():
        raise click.UsageError(f"no run {run_id!r} here that wrote anything; `doctor undo` alone takes the last one")
    try:
        with store.exclusive():
            standing = asyncio.run(take_back(target, journal, output))
    except (RecordError, JournalError, OSError) as error:
        raise click.UsageError(str(error)) from error
    _mark_undone(store, run_id, standing)
    return int(ExitCode.FINDINGS if standing.left_alone else ExitCode.OK)


@dataclass(slots=True)
class Standing:
    """What an undo did not take back: ``left_alone`` steps that somebody changed since, ``sent`` tasks and models that
    nothing calls back, and the fingerprints of the repairs that therefore still stand (None: not known)."""

    left_alone: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    repairs: set[str | None] = field(default_factory=set)


async def _sweep(target: Target, output: Output) -> int:
    """Remove what proofs that were killed have left, and return how many there were."""
    async with target:
        try:
            lines = await sweep(target)
        except (ResourceUnreachable, NotConfiguredError) as error:
            lines = [f"canaries of an interrupted proof stay: {error}"]
    for line in lines:
        output.say(f"swept       {line}")
    return len(lines)


def last_with_journal(store: RunStore) -> str | None:
    """Return the newest run that has steps to take back, or None."""
    for path in sorted(store.folder.glob("*/journal.jsonl"), reverse=True):
        if any(in_reverse(Journal(path).entries())):
            return path.parent.name
    return None


async def take_back(target: Target, journal: Journal, output: Output) -> Standing:
    """Revert every step that can be, say what happened, and return what still stands."""
    standing, lines = Standing(), _Lines(output)
    async with target:
        undo = Undo(target.root, journal, partial(target.provide, "database"))
        for entry in in_reverse(journal.entries()):
            try:
                done = await undo.revert(entry)
            except (JournalError, FixError, ResourceUnreachable, NotConfiguredError, psycopg.Error, OSError) as error:
                standing.left_alone += 1
                standing.repairs.add(entry["repair"])
                lines.add(f"left alone  {error}")
                continue
            if done:
                lines.add(f"taken back  {done}")
            elif entry["kind"] in LASTING:
                standing.sent[LASTING[entry["kind"]].format_map(entry)] += 1
                standing.repairs.add(entry["repair"])
    lines.end()
    for what, count in sorted(standing.sent.items()):
        output.say(f"stays       {what}{_times(count)}")
    return standing


@dataclass(slots=True)
class _Lines:
    """Says each line once, with the number of times in a row: a backfill has one step for every hundred rows."""

    output: Output
    line: str = ""
    count: int = 0

    def add(self, line: str) -> None:
        if line != self.line:
            self.end()
            self.line = line
        self.count += 1

    def end(self) -> None:
        if self.count:
            self.output.say(f"{self.line}{_times(self.count)}")
        self.count = 0


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _mark_undone(store: RunStore, run_id: str, standing: Standing) -> None:
    """Call undone in the record what was; a journal that does not say whose a step was leaves all as it is."""
    try:
        run = store.load(run_id)
    except RecordError:
        return  # killed before the record was written; the journal alone was enough
    if None in standing.repairs:
        return
    repairs = tuple(
        replace(repair, status=RepairStatus.UNDONE)
        if repair.status in TAKEN_BACK and repair.fingerprint not in standing.repairs
        else repair
        for repair in run.repairs
    )
    store.save(replace(run, repairs=repairs))
