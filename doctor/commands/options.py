"""The options that several commands share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from doctor.commands.output import Output, add_plugin
from doctor.configuration import ConfigurationError
from doctor.target import Target

F = TypeVar("F", bound=Callable[..., Any])


class ConfigurationProblem(click.ClickException):
    """Shown as one sentence; exit code 2."""


path_argument = click.argument(
    "path", type=click.Path(exists=True, path_type=Path), default=Path(), metavar="[PATH]", required=False
)

paths_argument = click.argument(
    "paths", type=click.Path(exists=True, path_type=Path), metavar="[PATH]...", nargs=-1, required=False
)

path_option = click.option(
    "--path",
    type=click.Path(exists=True, path_type=Path),
    default=Path(),
    metavar="PATH",
    help="The pipeline's folder (default: this one).",
)

target_option = click.option(
    "--target", "target_name", metavar="NAME", help="Name of the target; needed to write beyond this machine."
)

configuration_option = click.option(
    "--config",
    "configuration",
    envvar="DOCTOR_CONFIG",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use this file instead of the nearest doctor.toml.",
)

profile_option = click.option(
    "--profile",
    metavar="NAME",
    envvar="DOCTOR_PROFILE",
    help="Use the values of [profile.NAME]: ci, dev, prod, or one of your own.",
)


class _Seconds(click.FloatRange):
    """A finite number: ``nan`` passes every comparison of a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        return number if math.isfinite(number) else self.fail(f"{value!r} is not a number of seconds", param, ctx)


def timeout_options(command: F) -> F:
    """Add ``--timeout`` and ``--total-timeout``."""
    positive = _Seconds(min=0, min_open=True)
    for option in (
        click.option(
            "--total-timeout",
            type=positive,
            metavar="SECONDS",
            envvar="DOCTOR_TOTAL_TIMEOUT",
            help="Limit of the whole run (60).",
        ),
        click.option(
            "--timeout",
            type=positive,
            metavar="SECONDS",
            envvar="DOCTOR_TIMEOUT",
            help="Limit of each check (its own).",
        ),
    ):
        command = option(command)
    return command


def presentation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--color``, ``-q`` and ``-v``; the command receives them as one ``output``."""

    @functools.wraps(command)
    def with_output(*, color: str, quiet: bool, verbose: bool, **others: Any) -> Any:
        return command(output=Output(color=color, quiet=quiet, verbose=verbose), **others)

    choice = click.Choice(["auto", "always", "never"])
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Show the rule behind each verdict, and all that was seen."),
        click.option("-q", "--quiet", is_flag=True, help="Show only what is wrong."),
        click.option("--color", type=choice, default="auto", help="Colour on terminals (auto)."),
    ):
        with_output = option(with_output)
    return with_output


def require_permission(target: Target, named: str | None) -> None:
    """Allow a write on this machine; beyond it only when the target was named.

    Raises:
        click.UsageError: when the name is missing or another one.
    """
    if named is not None and named != target.name:
        raise click.UsageError(f"this target is {target.name!r}, not {named!r}")
    beyond = target.beyond_loopback()
    if beyond and named is None:
        addresses = ", ".join(f"{endpoint.kind} {endpoint.address}" for endpoint in beyond)
        raise click.UsageError(
            f"this would write beyond this machine ({addresses}): repeat with --target {target.name}"
        )


def open_target(
    path: Path,
    configuration: Path | None,
    *,
    profile: str | None = None,
    keeps_facts: bool = True,
    token_env: str | None = None,
) -> Target:
    """Look at ``path``, with the values of a profile; with ``keeps_facts`` what its source says is kept for the next
    run.

    ``token_env`` names a variable that holds a token to be taken apart.

    Raises:
        ConfigurationProblem: when its configuration cannot be used.
    """
    try:
        target = Target.at(path, configuration, profile=profile, keeps_facts=keeps_facts, token_env=token_env)
        target.chain_or_none()
    except ConfigurationError as error:
        raise ConfigurationProblem(str(error)) from error
    for plugin in target.configuration.plugins:
        add_plugin(target.root / plugin)
    if token_env is not None and target.environment.get(token_env) is None:
        # The name is not repeated: it may be the token itself.
        raise click.BadParameter(
            "neither the environment nor .env has a variable of this name", param_hint="--token-env"
        )
    return target
