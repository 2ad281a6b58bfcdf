"""``doctor tracker``: take runs into the living tracker, and write it anew around what people have written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from doctor.commands.options import configuration_option, open_target, path_option, presentation_options
from doctor.commands.output import Output, write_file
from doctor.record import RecordError, RunStore
from doctor.tracker.human import blocks_in
from doctor.tracker.issue import CLOSED
from doctor.tracker.markdown import render
from doctor.tracker.store import TrackerError, dumps, load
from doctor.tracker.update import merge, updated, with_people
from doctor.verdict import ExitCode
from doctor.wording import counted

TRUTH = Path("rca.json")
RENDERED = Path("docs") / "RCA_TRACKER.md"


@click.command("tracker")
@click.argument("run_ids", metavar="[RUN]...", nargs=-1)
@path_option
@click.option(
    "--merge",
    "other",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take in the rca.json of another branch too.",
)
@configuration_option
@presentation_options
def tracker_command(
    run_ids: tuple[str, ...], path: Path, other: Path | None, configuration: Path | None, output: Output
) -> int:
    """Keep rca.json and docs/RCA_TRACKER.md: take in RUN, or every recorded run that is not in it yet.

    What a person writes between the marked lines stays, whatever happens around it: owner, notes, decisions. A line
    `status: accepted_risk - why` sets an issue aside (also not_an_issue, false_positive; triaging needs no reason). An
    issue is resolved when its check no longer finds it and a verification has passed, not by silence; what comes back
    is re-opened. Both files may be merged like any text; an unfinished merge in them is finished.

    \b
    Exit codes: 0 written   2 no such run, or rca.json cannot be read
    """
    root = open_target(path, configuration).root
    store = RunStore(root)
    try:
        tracker = load(root / TRUTH)
        if other is not None:
            tracker = merge(tracker, load(other))
        for run_id in run_ids or [one for one in store.ids() if one not in tracker.runs]:
            tracker = updated(tracker, store.load(run_id))
    except (TrackerError, RecordError) as error:
        raise click.UsageError(str(error)) from error
    tracker, problems = with_people(tracker, _people(root / RENDERED), datetime.now(UTC))
    write_file(root / TRUTH, dumps(tracker))
    write_file(root / RENDERED, render(tracker))
    for problem in problems:
        output.tell(problem)
    still_open = sum(issue.status not in CLOSED for issue in tracker.issues.values())
    output.say(f"{RENDERED}: {counted(still_open, 'open issue')}, {len(tracker.issues) - still_open} closed")
    return int(ExitCode.OK)


def _people(path: Path) -> dict[str, str]:
    """Return what people wrote.

    Raises:
        click.UsageError: the file cannot be read, so that writing it anew would lose what is in it.
    """
    try:
        return blocks_in(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path}: cannot be read, so it is not written anew: {error}") from error
