"""Which findings a check leaves out beside what the configuration ignores: the options, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from doctor.baseline import BaselineError, Known, LastRun, load
from doctor.model import Run
from doctor.mutes import Muted, MuteError, MuteStore
from doctor.record import RecordError, RunStore
from doctor.silencing import Silencer, was_asked
from doctor.target import Target

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class News:
    """What counts as old: the entries of a baseline, and what a run before has found."""

    only_new: bool = False
    baseline: Path | None = None
    before: Run | None = None


def news_options(command: F) -> F:
    """Add ``--only-new``, ``--baseline`` and ``--since-last``."""
    for option in (
        click.option("--since-last", is_flag=True, help="Leave out what the last recorded run had found already."),
        click.option(
            "--baseline",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="The baseline's file; implies --only-new (.doctor-baseline.json).",
        ),
        click.option("--only-new", is_flag=True, help="Leave out what the baseline knows; see `doctor baseline`."),
    ):
        command = option(command)
    return command


def baseline_path(target: Target, given: Path | None) -> Path:
    """Return the file of a target's baseline: the one that was named, else that of the configuration."""
    return given if given is not None else target.root / target.configuration.baseline


def silencers_of(target: Target, news: News, now: datetime) -> tuple[Silencer, ...]:
    """Return the target's mutes, and what the options name.

    Raises:
        click.UsageError: a baseline is missing or none, or the mutes cannot be read.
    """
    try:
        silencers: list[Silencer] = [Muted(MuteStore(target.root).load(), now)]
        if news.only_new or news.baseline is not None or target.configuration.only_new:
            path = baseline_path(target, news.baseline)
            silencers.append(Known(load(path), os.path.relpath(path, target.root)))
    except (BaselineError, MuteError) as error:
        raise click.UsageError(str(error)) from error
    if news.before is not None:
        silencers.append(LastRun(news.before.id, news.before.found))
    return tuple(silencers)


def last_run(target: Target) -> Run:
    """Return the last recorded run of a target that was about all of it.

    Raises:
        click.UsageError: there is none, or it cannot be read.
    """
    try:
        run = RunStore(target.root).latest(lambda run: not run.narrowed)
    except RecordError as error:
        raise click.UsageError(str(error)) from error
    if run is None or run.narrowed:
        raise click.UsageError(f"no run is recorded in {target.root}; run `doctor check` first")
    return run


def gone_since(before: Run, run: Run) -> list[str]:
    """Return code and resource of what an earlier run had found, and this one looked for and did not find."""
    present = {finding.fingerprint for finding in run.found}
    return [
        f"{finding.code} {finding.resource.id}"
        for finding in before.found
        if finding.fingerprint not in present and was_asked(finding.code, run.current)
    ]


def clear_mutes(target: Target, run: Run, now: datetime) -> None:
    """Take away the mutes that this run has settled: their time is over, or their findings are gone or worse.

    A folder that cannot be written keeps them; they do not hold any more.
    """
    store = MuteStore(target.root)
    try:
        mutes = store.load()
        left = Muted(mutes, now).left(run.found, run.current)
        if len(left) < len(mutes):
            store.save(left)
    except MuteError:
        return
