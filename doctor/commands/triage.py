"""``doctor triage``: group the lines of logs, find them in the source, recognise what is known."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from doctor.commands.options import presentation_options
from doctor.commands.output import FormatChoice, Output, log_format_option, registry
from doctor.log_summary import LogSummary
from doctor.model import Severity
from doctor.triage.catalogue import Catalogue
from doctor.triage.follow import Follower
from doctor.triage.inputs import sources
from doctor.triage.problems import Problems
from doctor.triage.triage import Triage
from doctor.verdict import ExitCode


class _Date(click.ParamType[date]):
    name = "date"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            return self.fail(f"{value!r} is no date such as 2026-11-20", param, ctx)


@click.command("triage")
@click.argument("logs", metavar="LOG... | -", nargs=-1, required=True)
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Find the lines in the Python source of this folder.",
)
@click.option(
    "--date", "day", type=_Date(), help="Day of times that have no date (default: of the file's last change)."
)
@click.option("-f", "--follow", is_flag=True, help="Go on reading what is appended; Ctrl-C ends it.")
@click.option(
    "--fail-on",
    type=click.Choice([*map(str, Severity), "never"]),
    default=Severity.ERROR.value,
    help="Lowest severity that makes the exit code 1 (error).",
)
@log_format_option("text")
@presentation_options
def triage_command(
    logs: tuple[str, ...],
    source: Path | None,
    day: date | None,
    follow: bool,
    fail_on: str,
    formats: tuple[FormatChoice, ...],
    output: Output,
) -> int:
    """Put the lines of LOG together: known problems first, then errors that nothing knows, then the rest.

    LOG is a file, packed with gzip or not, a folder of them, or `-` for standard input, such as `docker compose logs |
    doctor triage -`. Lines are grouped by their exception, by the call in the source that wrote them (--source), or by
    what stays the same in them. Secrets are taken out before anything is kept. A log raises hypotheses and names the
    check that would decide each; it never proves one.

    \b
    Exit codes: 0 nothing known at or above --fail-on   1 known problems   2 usage
                3 nothing could be read, or not everything   130 interrupted
    """
    problems = Problems()
    found = sources(logs, problems)
    catalogue = Catalogue(registry().signatures.values())
    for problem in (*catalogue.problems, *registry().problems):
        problems.add(problem)
    triage = Triage(catalogue, problems, source=source, day=day)
    if follow:
        Follower(triage, found, output.say if not output.silent_logs(formats) else lambda _text: None).run()
    else:
        triage.read(found)
    summary = triage.summary(fail_on)
    output.emit_logs(summary, formats)
    return int(_exit_code(summary))


def _exit_code(summary: LogSummary) -> ExitCode:
    if summary.fail_on != "never":
        gate = Severity(summary.fail_on).rank
        if any(issue.severity.rank >= gate for issue in summary.issues):
            return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if summary.unread or not summary.records else ExitCode.OK
