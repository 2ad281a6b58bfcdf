"""``doctor unmute``: take mutes back."""

from __future__ import annotations

from pathlib import Path

import click

from doctor.commands.options import configuration_option, open_target, path_option, presentation_options
from doctor.commands.output import Output
from doctor.mutes import MuteError, MuteStore
from doctor.verdict import ExitCode
from doctor.wording import counted


@click.command("unmute")
@click.argument("code")
@path_option
@configuration_option
@presentation_options
def unmute_command(code: str, path: Path, configuration: Path | None, output: Output) -> int:
    """Take back the mutes of CODE, whatever resources they are about; ALL takes every mute back.

    The next run tells again what they were about.
    """
    store = MuteStore(open_target(path, configuration).root)
    try:
        mutes = store.load()
        left = [each for each in mutes if code.upper() not in ("ALL", each.code)]
        if len(left) == len(mutes):
            raise click.UsageError(f"{code.upper()} is not muted; `doctor mute` lists what is")
        store.save(left)
    except MuteError as error:
        raise click.UsageError(str(error)) from error
    output.say(f"{counted(len(mutes) - len(left), 'mute')} taken back")
    return int(ExitCode.OK)
