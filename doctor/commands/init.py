"""``doctor init``: look around, and write a ``doctor.toml`` that works at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from doctor.commands.options import open_target, path_argument, presentation_options
from doctor.commands.output import Output, write_file
from doctor.starting_configuration import starting_configuration
from doctor.surroundings import Surroundings, look_around
from doctor.target import Target
from doctor.verdict import ExitCode
from doctor.wording import counted


@click.command("init")
@path_argument
@click.option("--print", "only_shown", is_flag=True, help="Show the file and write none.")
@click.option("--force", is_flag=True, help="Write over a doctor.toml that is there.")
@presentation_options
def init_command(path: Path, only_shown: bool, force: bool, output: Output) -> int:
    """Look around in PATH (default: this folder) and write a commented doctor.toml that works at once.

    Looks at the source, .env, the compose file and the catalog of the database, and changes none of them. What is
    certain is in force; what only a person can know, such as the columns of the chain, is there as a comment.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / "doctor.toml"
    if file.exists() and not force and not only_shown:
        raise click.UsageError(f"{file} is there already; --print shows a new one, --force writes over it")
    target = open_target(folder, None)
    found = asyncio.run(_look_around(target))
    text = starting_configuration(target.name, found)
    if only_shown:
        output.write(text)
        return int(ExitCode.OK)
    write_file(file, text)
    output.say(f"{file}: {_told(found)}")
    output.say("next: doctor check; with the chain described in the file it follows rows from stage to stage")
    return int(ExitCode.OK)


async def _look_around(target: Target) -> Surroundings:
    async with target:
        return await look_around(target)


def _told(found: Surroundings) -> str:
    variables = [name for named in found.variables.values() for name in named]
    parts = [
        f"variables {', '.join(variables)}" if variables else "no variable with an address",
        f"{found.entry} with {counted(len(found.steps), 'task')}" if found.steps else "",
        counted(len(found.vectors), "vector column") if found.vectors else "",
        f"{found.compose} with {counted(len(found.services), 'service')}" if found.compose else "",
        *found.notes,
    ]
    return "; ".join(filter(None, parts))
