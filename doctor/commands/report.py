"""``doctor report``: the RCA report of a recorded run."""

from __future__ import annotations

from pathlib import Path

import click

from doctor.commands.options import configuration_option, open_target, path_option, presentation_options
from doctor.commands.output import FormatChoice, Output, format_option, registry, write_file
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
@format_option("markdown")
@configuration_option
@presentation_options
def report_command(
    run_id: str | None,
    path: Path,
    file: Path | None,
    record: Path | None,
    formats: tuple[FormatChoice, ...],
    configuration: Path | None,
    output: Output,
) -> int:
    """Write the root-cause report of RUN, in Markdown unless --format says otherwise.

    Without RUN it is the last run that found a cause or repaired something, and else the last run.

    \b
    Exit codes: 0 written   2 no such run
    """
    try:
        run = (
            loads(record.read_bytes()) if record else _recorded(RunStore(open_target(path, configuration).root), run_id)
        )
    except (RecordError, OSError) as error:
        raise click.UsageError(str(error)) from error
    if file is not None:
        write_file(file, registry().reports[formats[0].name].render(run, output.presentation(to_file=True)))
        output.tell(f"wrote {file}")
        formats = formats[1:]
    output.emit(run, formats)
    return int(ExitCode.OK)


def _recorded(store: RunStore, run_id: str | None) -> Run:
    found = store.load(run_id) if run_id else store.latest(tells_of_trouble)
    if found is None:
        raise RecordError("no run is recorded here yet; `doctor check` makes one")
    return found
