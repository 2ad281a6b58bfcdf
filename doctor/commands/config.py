"""``doctor config``: what is in force, where it comes from, and what there could be."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import click

from doctor.commands.list import table
from doctor.commands.options import (
    ConfigurationProblem,
    configuration_option,
    open_target,
    path_argument,
    presentation_options,
    profile_option,
)
from doctor.commands.output import Output
from doctor.configuration import ConfigurationError, schema
from doctor.provenance import DEFAULT, settings
from doctor.verdict import ExitCode


@click.group("config")
def config_command() -> None:
    """Show what is in force, where each value comes from, and every key that there is.

    \b
    doctor config show                       this folder: values, and the line of each
    doctor config show --profile ci          the same with a profile
    doctor config schema > doctor.schema.json   for editors: `#:schema doctor.schema.json`
    """


@config_command.command("show")
@path_argument
@profile_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@configuration_option
@presentation_options
def show(path: Path, profile: str | None, form: str, configuration: Path | None, output: Output) -> int:
    """Show each value with its origin: a line of the file, a profile, a variable, or the default.

    As text, defaults are shown with -v. Addresses are shown without secrets, with the place of the variable.
    """
    target = open_target(path, configuration)
    try:
        found = list(settings(target.loaded, profile, os.environ))
    except ConfigurationError as error:
        raise ConfigurationProblem(str(error)) from error
    endpoints = target.endpoints()
    if form == "json":
        document = {
            "file": None if target.loaded.path is None else str(target.loaded.path),
            "settings": {each.key: {"value": each.value, "origin": each.origin} for each in found},
            "endpoints": [{"kind": one.kind, "address": one.address, "origin": one.origin} for one in endpoints],
        }
        output.write(json.dumps(document, indent=1, ensure_ascii=False, default=_plain) + "\n")
        return int(ExitCode.OK)
    output.say(f"file: {target.loaded.path or 'none; every value is the default (doctor init writes one)'}")
    shown = [each for each in found if output.verbose or each.origin != DEFAULT]
    rows = [(each.key, each.origin, json.dumps(each.value, ensure_ascii=False, default=_plain)) for each in shown]
    rows += [(one.kind, one.origin or DEFAULT, one.address) for one in endpoints]
    for line in table(rows).splitlines():
        output.say(line)
    return int(ExitCode.OK)


@config_command.command("schema")
@presentation_options
def show_schema(output: Output) -> int:
    """Print the JSON Schema of doctor.toml, which editors read for completion and for errors while typing."""
    output.write(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
    return int(ExitCode.OK)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else str(value)
