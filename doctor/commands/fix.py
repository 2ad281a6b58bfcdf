"""``doctor fix``: plan, preview, ask, apply, check again, record."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from doctor.commands.examination import Selection, choose, examine_open
from doctor.commands.options import (
    configuration_option,
    open_target,
    path_option,
    presentation_options,
    require_permission,
    target_option,
    timeout_options,
)
from doctor.commands.output import FormatChoice, Output, format_option, registry
from doctor.commands.question import ask
from doctor.diagnosis import confirm
from doctor.fix import Limits, Plan
from doctor.fixing import Candidate, Policy, Repairer, candidates
from doctor.journal import Journal
from doctor.model import Applicability, RepairStatus, Role, Run
from doctor.record import RecordError, RunStore
from doctor.redaction import printable, redact
from doctor.target import Target
from doctor.verdict import ExitCode, exit_code

_CHANGED = (RepairStatus.VERIFIED, RepairStatus.PARTIAL, RepairStatus.RESTART_NEEDED, RepairStatus.ROLLED_BACK)


@click.command("fix")
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@path_option
@click.option("--diff", "--dry-run", "preview", is_flag=True, help="Show every change and make none.")
@click.option("--yes", "-y", is_flag=True, help="Apply safe fixes without asking.")
@click.option("--unsafe-fixes", is_flag=True, help="Consider unsafe fixes too.")
@click.option("--batch-size", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Rows per batch.")
@click.option("--limit", type=click.IntRange(1), help="Rows of each repair at most.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Rows per second at most.")
@click.option("--workers", type=click.IntRange(1, 16), default=2, show_default=True, help="Batches embedded at once.")
@target_option
@format_option("text")
@timeout_options
@configuration_option
@presentation_options
def fix_command(
    codes: tuple[str, ...],
    path: Path,
    preview: bool,
    yes: bool,
    unsafe_fixes: bool,
    batch_size: int,
    limit: int | None,
    rate: float | None,
    workers: int,
    target_name: str | None,
    formats: tuple[FormatChoice, ...],
    timeout: float | None,
    total_timeout: float | None,
    configuration: Path | None,
    output: Output,
) -> int:
    """Repair root causes and left-over damage; CODE limits it to findings of these codes or prefixes.

    Where the recommended repair is a person's, naming the code asks for the first that is not.

    Each repair is planned, shown, applied, checked again, and rolled back when the finding is still there. `doctor
    undo` takes back what was written to files, rows and indexes; what a requeued task then did, and a model that was
    pulled, stay.

    \b
    Exit codes: 0 nothing to fail on is left   1 findings remain, or --diff would change something
                2 usage, or no terminal to ask on and no --yes   3 not all could be checked
                5 a repair was rolled back
                130 interrupted, also at a question: what was answered before is done and recorded
    """
    wanted = known_codes(codes)
    target = open_target(path, configuration)
    if not preview:
        require_permission(target, target_name)
        if not yes and not sys.stdin.isatty():
            raise click.UsageError("no terminal to ask on: give --yes to apply safe fixes, or --diff to look at them")
    limits = Limits(batch_size, limit, rate, workers)
    consent = Consent(yes=yes, unsafe=unsafe_fixes, before_question=output.clear)
    tell = output.teller(formats)
    policy = Policy(consent, wanted, preview, limits, tell, lambda: consent.withdrawn)
    store = RunStore(target.root)
    try:
        with nullcontext() if preview else store.exclusive():
            run = asyncio.run(repair_target(target, policy, timeout=timeout, total_timeout=total_timeout))
    except RecordError as error:
        raise click.UsageError(f"{error}") from error
    except OSError as error:
        raise click.ClickException(
            f"{error}; what was repaired before that stands: `doctor undo` takes it back"
        ) from error
    if run.repairs and not preview and store.save_if_possible(run) is None:
        folder = target.root / ".doctor"
        output.tell(f"the run could not be recorded in {folder}; `doctor undo` works all the same", formats)
    output.emit(run, formats)
    if not run.repairs:
        output.tell(nothing_to_repair(run, policy.codes), formats)
    if consent.withdrawn:
        return int(ExitCode.INTERRUPTED)
    if preview and any(repair.status is RepairStatus.PLANNED for repair in run.repairs):
        return int(ExitCode.FINDINGS)
    return int(exit_code(run))


def nothing_to_repair(run: Run, codes: Sequence[str]) -> str:
    """Say why a run has no repairs, and by which command one could be made that is made only when it is named."""
    about = f" of {', '.join(codes)}" if codes else ""
    felt = sorted({finding.code for finding in run.findings if finding.role is not Role.ADVICE}) if not codes else []
    named = candidates(run, registry().fixes, felt) if felt else []
    if not named:
        return f"nothing to repair: no finding{about} has a repair that doctor can make"
    unsafe = any(candidate.option.applicability is Applicability.UNSAFE for candidate in named)
    command = " ".join(("doctor fix", *dict.fromkeys(candidate.finding.code for candidate in named)))
    titles = "; ".join(dict.fromkeys(candidate.option.title for candidate in named))
    what = "that is safe" if unsafe else "unless it is named"
    return f"nothing to repair {what}; `{command}{' --unsafe-fixes' if unsafe else ''}` makes: {redact(titles)}"


def known_codes(codes: Sequence[str]) -> tuple[str, ...]:
    """Return codes or prefixes in capitals.

    Raises:
        click.UsageError: no check has such a code.
    """
    wanted = tuple(code.upper() for code in codes)
    for code in wanted:
        if not any(each.startswith(code) for each in registry().checks):
            raise click.UsageError(f"no check has a code that starts with {code!r}; `doctor list` shows them all")
    return wanted


class Consent:
    """Answers for the person: what may be done without asking, and what must be asked on the terminal.

    Ctrl-C or Ctrl-D at a question is a no to this repair and the end of asking; ``withdrawn`` remembers it.
    """

    def __init__(self, *, yes: bool, unsafe: bool, before_question: Callable[[], None] = lambda: None) -> None:
        self._yes = yes
        self._unsafe = unsafe
        self._before_question = before_question
        self.withdrawn = False

    def __call__(self, candidate: Candidate, plan: Plan) -> bool:
        """Tell whether a planned repair may be made."""
        applicability = candidate.option.applicability
        if applicability is Applicability.MANUAL or (applicability is Applicability.UNSAFE and not self._unsafe):
            return False
        if self._yes:
            return True
        self._before_question()
        title = f"{candidate.finding.code}  {candidate.option.title} ({applicability})"
        click.echo(f"\n{printable(redact(title))}", err=True)
        click.echo("\n".join(printable(redact(line)) for line in plan.preview.splitlines()), err=True)
        try:
            return ask("apply?")
        except click.Abort:
            click.echo("", err=True)
            self.withdrawn = True
            return False


async def repair_target(
    target: Target,
    policy: Policy,
    *,
    timeout: float | None = None,
    total_timeout: float | None = None,
    narrate: Callable[[Run], None] = lambda _run: None,
) -> Run:
    """Examine ``target``, repair what ``policy`` allows, examine it again, and return the whole run.

    ``narrate`` is told of the run before anything is repaired.
    """
    checks = registry().checks
    async with target:
        chosen = choose(list(checks.values()), Selection(), target)
        policy.progress("checking what is wrong")
        run = await examine_open(target, chosen, timeout=timeout, total_timeout=total_timeout)
        narrate(run)
        store = RunStore(target.root)
        folder = store.folder / run.id if policy.preview_only else store.directory(run.id)
        journal = Journal(folder / "journal.jsonl")
        repairer = Repairer(target, journal, checks, policy)
        blocking = [f for root in run.diagnosis.roots for f in root.findings if root.stages]
        repairs = await repairer.repair(candidates(run, registry().fixes, policy.codes), blocking)
        run = replace(run, repairs=tuple(repairs))
        if policy.preview_only or not any(repair.status in _CHANGED for repair in repairs):
            return run
        store.save_if_possible(run)
        if policy.stopped():
            return run
        target.forget("source", "examination")
        policy.progress("checking again")
        again = await examine_open(target, chosen, timeout=timeout, total_timeout=total_timeout)
    return replace(with_after(run, again), suppressions=again.suppressions)


def with_after(run: Run, again: Run) -> Run:
    """Add what was found ``again`` after the repairs, and raise to *confirmed* what they confirmed."""
    diagnosis = confirm(run.diagnosis, run.before, again.before)
    return replace(run, after=again.before, checked_again_at=again.started_at, diagnosis=diagnosis)
