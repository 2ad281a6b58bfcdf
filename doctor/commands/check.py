"""``doctor check``: run the checks, diagnose, record, show."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from doctor.commands.examination import Selection, examine
from doctor.commands.options import (
    configuration_option,
    open_target,
    paths_argument,
    presentation_options,
    profile_option,
    timeout_options,
)
from doctor.commands.output import FormatChoice, Output, format_option
from doctor.commands.silencers import News, clear_mutes, gone_since, last_run, news_options, silencers_of
from doctor.model import Repair, Run, Severity, Status
from doctor.record import RunStore
from doctor.root import NoCommonRootError, root_of
from doctor.target import Target

PYTHON_SUFFIXES = (".py", ".pyi", ".pyw")
"""A commit hook for Python names all of these, though only the first is read."""


@click.command("check")
@paths_argument
@click.option("--select", metavar="CODES", multiple=True, help="Run only these codes or prefixes; ALL is every check.")
@click.option("--ignore", metavar="CODES", multiple=True, help="Leave these codes or prefixes out.")
@click.option("--tag", metavar="TAG", multiple=True, help="Run only checks with one of these tags: static, live, slow.")
@click.option("--offline", is_flag=True, help="Read the source and nothing else; open no connection.")
@click.option(
    "--probe",
    is_flag=True,
    help="Also do what costs: let each model answer once, compare vector indexes with exact searches.",
)
@click.option("--no-cache", is_flag=True, help="Read every file of the source again, and keep nothing of it.")
@click.option(
    "--fail-on",
    type=click.Choice([*map(str, Severity), "never"]),
    default=None,
    envvar="DOCTOR_FAIL_ON",
    help="Lowest severity that makes the exit code 1 (default: error).",
)
@click.option(
    "--token-env",
    metavar="NAME",
    help="Take the token in this variable apart and say what refuses it; it is never shown.",
)
@click.option(
    "--logs",
    metavar="LOG",
    multiple=True,
    type=click.Path(exists=True, allow_dash=True),
    help="Read this log file or folder too (- is stdin): lines witness causes, and raise questions; repeatable.",
)
@news_options
@format_option("text")
@timeout_options
@profile_option
@configuration_option
@presentation_options
def check_command(
    paths: tuple[Path, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    tag: tuple[str, ...],
    offline: bool,
    probe: bool,
    no_cache: bool,
    fail_on: str | None,
    logs: tuple[str, ...],
    token_env: str | None,
    only_new: bool,
    baseline: Path | None,
    since_last: bool,
    formats: tuple[FormatChoice, ...],
    timeout: float | None,
    total_timeout: float | None,
    profile: str | None,
    configuration: Path | None,
    output: Output,
) -> int:
    """Diagnose the pipeline at PATH (default: this folder).

    Of several paths, and of a file, the whole project around them is read (the nearest folder above with doctor.toml,
    pyproject.toml or .git), and what is found in other files is left out.

    Reads only. The run is recorded in .doctor of the folder that was read, which git ignores, unless there was nothing
    to check. What the source says is kept beside it, so that the next run reads only the files that have changed.

    \b
    doctor check --offline                                    the source alone
    doctor check --select TSK,EMB001 -v                       some checks, with all that was seen
    doctor check --format text --format sarif:doctor.sarif    several formats at once
    doctor check --only-new                                   the gate: what is new since the baseline

    \b
    Exit codes: 0 nothing at or above --fail-on   1 findings   2 usage or configuration
                3 incomplete: something could not be checked   4 a bug of doctor
    """
    _require_python(paths)
    try:
        folder = root_of(paths or (Path(),))
    except NoCommonRootError as error:
        raise click.UsageError(str(error)) from error
    target = open_target(folder, configuration, profile=profile, keeps_facts=not no_cache, token_env=token_env)
    selection = Selection(select, ignore, tag, offline, probe)
    now = datetime.now(UTC)
    before = last_run(target) if since_last else None
    changes: list[Repair] = []

    async def plan(opened: Target, examined: Run) -> None:
        from doctor.commands.planning import plan_source_changes  # brings psycopg, 60 ms that no other format pays

        changes.extend(await plan_source_changes(opened, examined))

    run = examine(
        target,
        selection,
        output,
        fail_on=fail_on,
        timeout=timeout,
        total_timeout=total_timeout,
        formats=formats,
        paths=paths if len(paths) > 1 or any(path.is_file() for path in paths) else (),
        logs=logs,
        silencers=silencers_of(target, News(only_new, baseline, before), now),
        afterwards=plan if output.shows_changes(formats) else None,
    )
    if not run.narrowed:
        clear_mutes(target, run, now)
    if before is not None and (gone := gone_since(before, run)):
        output.tell(f"gone since run {before.id}: {', '.join(gone)}", formats)
    _record(target, run, output, formats)
    output.emit(run, formats, tuple(changes))
    return output.exit_code(run, formats)


def _record(target: Target, run: Run, output: Output, formats: tuple[FormatChoice, ...]) -> None:
    """Keep a run in which anything was asked."""
    asked = any(result.status is not Status.SKIP for result in run.current)
    if asked and RunStore(target.root).save_if_possible(run) is None:
        folder = target.root / ".doctor"
        output.tell(f"the run could not be recorded in {folder}; `doctor report` will not know it", formats)


def _require_python(paths: tuple[Path, ...]) -> None:
    """Refuse a file that no reader of Python opens: it would be called clean.

    Raises:
        click.UsageError: it is neither named like Python source nor begins as a Python script.
    """
    for path in paths:
        if not path.is_dir() and path.suffix not in PYTHON_SUFFIXES and not _is_script(path):
            raise click.UsageError(f"{path} is no Python source: name a .py file or a folder")


def _is_script(path: Path) -> bool:
    """Whether the first line names Python, as that of a program without a suffix does."""
    if not path.is_file():
        return False  # a pipe would never answer
    try:
        with path.open("rb") as file:
            line = file.readline(200)
    except OSError:
        return False
    return line.startswith(b"#!") and b"python" in line
