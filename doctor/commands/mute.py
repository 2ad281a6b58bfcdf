"""``doctor mute``: hear nothing of a finding for a while, unless it becomes worse."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from doctor.commands.list import table
from doctor.commands.options import configuration_option, open_target, path_option, presentation_options
from doctor.commands.output import Output
from doctor.commands.silencers import last_run
from doctor.mutes import Mute, MuteError, MuteStore, mute
from doctor.verdict import ExitCode

_SPAN = re.compile(r"([1-9]\d{0,3})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=366)
"""What is to be silent for longer is no mute; it is accepted in the configuration, where others see it."""


class _Span(click.ParamType[timedelta]):
    """A length of time such as ``4h`` or ``7d``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        match = _SPAN.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is no length of time; write 30m, 4h, 7d or 2w", param, ctx)
        span = timedelta(**{_UNITS[match[2]]: int(match[1])})
        if span > LONGEST:
            self.fail("longer than a year: accept it with [[ignored]] in doctor.toml", param, ctx)
        return span


@click.command("mute")
@click.argument("code", required=False, metavar="[CODE]")
@click.option("--resource", default="*", metavar="PATTERN", help="Only resources like this, such as `column:*.tmp_*`.")
@click.option("--for", "span", type=_Span(), metavar="TIME", help="How long: 30m, 4h, 7d, 2w.")
@click.option("--reason", metavar="TEXT", help="Why; shown in every run.")
@path_option
@configuration_option
@presentation_options
def mute_command(
    code: str | None,
    resource: str,
    span: timedelta | None,
    reason: str | None,
    path: Path,
    configuration: Path | None,
    output: Output,
) -> int:
    """Hear nothing of what the last run found of CODE (or a prefix); without CODE, list the mutes.

    A mute ends at its time, when its findings are gone, or when one of them becomes worse: a higher severity, or more
    of it. Every run says what is muted.

    \b
    doctor mute EMB001 --resource 'column:public.atoms.*' --for 7d --reason "backfill runs on Sunday"
    """
    target = open_target(path, configuration)
    store = MuteStore(target.root)
    try:
        if code is None:
            _list(store.load(), output)
            return int(ExitCode.OK)
        if span is None or not (reason or "").strip():
            raise click.UsageError("say for how long and why: doctor mute CODE --for 7d --reason TEXT")
        new = mute(code.upper(), resource, datetime.now(UTC) + span, str(reason).strip(), last_run(target).found)
        store.save((*(one for one in store.load() if one.shown != new.shown), new))
    except MuteError as error:
        raise click.UsageError(str(error)) from error
    output.say(f"{new.shown} is muted until {_time(new)}: {len(new.levels)} of the last run's findings")
    return int(ExitCode.OK)


def _list(mutes: tuple[Mute, ...], output: Output) -> None:
    rows = [(each.code, each.resource, f"until {_time(each)}", each.reason) for each in mutes]
    for line in table(rows).splitlines() or ["nothing is muted"]:
        output.say(line)


def _time(each: Mute) -> str:
    return f"{each.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
