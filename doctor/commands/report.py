"""``doctor report``: the RCA report of a recorded run, or what changed between two."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from doctor.commands.examination import joined_with_logs
from doctor.commands.options import configuration_option, open_target, path_option, presentation_options
from doctor.commands.output import FormatChoice, Output, format_named, format_option
from doctor.model import Run
from doctor.record import RecordError, RunStore, loads, tells_of_trouble
from doctor.verdict import ExitCode


@click.command("report")
@click.argument("run_id", metavar="[RUN]", required=False)
@path_option
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@click.option(
    "--from",
    "record",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read this run record instead.",
)
@click.option(
    "--diff",
    "compared",
    nargs=2,
    metavar="A B",
    help="Tell what changed from run A to run B; each is a run's id or the file of a record.",
)
@click.option(
    "--logs",
    metavar="LOG",
    multiple=True,
    type=click.Path(exists=True, allow_dash=True),
    help="Read this log too, as it is now: what was written since the repairs stands in the report; repeatable.",
)
@format_option("markdown")
@configuration_option
@presentation_options
def report_command(
    run_id: str | None,
    path: Path,
    file: Path | None,
    record: Path | None,
    compared: tuple[str, str] | None,
    logs: tuple[str, ...],
    formats: tuple[FormatChoice, ...],
    configuration: Path | None,
    output: Output,
) -> int:
    """Write the root-cause report of RUN, in Markdown unless --format says otherwise; html is one file for a browser.

    Without RUN it is the last run that found a cause or repaired something, and else the last run.

    \b
    Exit codes: 0 written   2 no such run
    """
    if file is not None:
        formats = (FormatChoice(_format_of(file, formats[0].name), file), *formats[1:])
    try:
        if compared is not None:
            if run_id or record or logs:
                raise click.UsageError("--diff names both runs itself: leave RUN, --from and --logs away")
            before, after = (_named(each, path, configuration) for each in compared)
            output.emit_difference(before, after, formats)
        else:
            run = loads(record.read_bytes()) if record else _recorded(_store(path, configuration), run_id)
            if logs:
                source = open_target(path, configuration).source_folder
                run = joined_with_logs(run, logs, source, lambda problem: output.tell(problem, formats))
            output.emit(run, formats)
    except (RecordError, OSError) as error:
        raise click.UsageError(str(error)) from error
    if file is not None:
        output.tell(f"wrote {file}")
    return int(ExitCode.OK)


def _format_of(file: Path, name: str) -> str:
    """Return the format that was asked for, or else the one that the file's name speaks of."""
    is_asked = click.get_current_context().get_parameter_source("formats") is not ParameterSource.DEFAULT
    return name if is_asked else format_named(file, name)


def _store(path: Path, configuration: Path | None) -> RunStore:
    return RunStore(open_target(path, configuration).root)


def _named(name: str, path: Path, configuration: Path | None) -> Run:
    """Return the run of an id, or of a file where there is one of this name."""
    file = Path(name)
    return loads(file.read_bytes()) if file.is_file() else _store(path, configuration).load(name)


def _recorded(store: RunStore, run_id: str | None) -> Run:
    found = store.load(run_id) if run_id else store.latest(tells_of_trouble)
    if found is None:
        raise RecordError("no run is recorded here yet; `doctor check` makes one")
    return found
