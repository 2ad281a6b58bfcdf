"""``doctor verify``: canary messages through the whole chain, stage by stage."""

from __future__ import annotations

import asyncio
import secrets
import signal
from dataclasses import replace
from pathlib import Path

import click

from doctor.canary import Canaries
from doctor.canary_cleanup import sweep
from doctor.commands.options import (
    configuration_option,
    open_target,
    path_option,
    presentation_options,
    require_permission,
    target_option,
)
from doctor.commands.output import Output
from doctor.late import psycopg
from doctor.model import StageResult, Verification
from doctor.proof_conditions import VerificationRefusedError
from doctor.record import RecordError, RunStore, tells_of_trouble
from doctor.resources.database import DatabaseError
from doctor.resources.unreachable import ResourceUnreachable
from doctor.target import NotConfiguredError, Target
from doctor.verdict import ExitCode, taken_back
from doctor.verification import verify


@click.command("verify")
@path_option
@click.option("--canaries", type=click.IntRange(1, 100), default=15, show_default=True, help="Messages to send.")
@click.option("--deadline", type=click.FloatRange(min=0, min_open=True), default=60.0, help="Seconds per stage (60).")
@click.option("--keep", is_flag=True, help="Leave the canaries and what came of them.")
@target_option
@configuration_option
@presentation_options
def verify_command(
    path: Path,
    canaries: int,
    deadline: float,
    keep: bool,
    target_name: str | None,
    configuration: Path | None,
    output: Output,
) -> int:
    """Send canary messages through the real webhook and prove every stage, up to the search that finds them.

    \b
    Exit codes: 0 every stage proved   1 it stopped at a stage   2 refused
                3 the database or the chain is not there
    """
    target = open_target(path, configuration)
    require_permission(target, target_name)
    birds = new_canaries(canaries)
    try:
        result = asyncio.run(verify_target(target, birds, deadline=deadline, keep=keep, output=output))
    except VerificationRefusedError as error:
        raise click.UsageError(f"refused: {error}") from error
    except asyncio.CancelledError as error:
        raise click.Abort from error
    except (ResourceUnreachable, NotConfiguredError, DatabaseError, psycopg.Error, OSError) as error:
        output.say(f"cannot verify: {' '.join(str(error).split())}")
        return int(ExitCode.INCOMPLETE)
    append_to_run(target, result)
    output.write(f"\n{'PROVED' if result.passed else f'STOPPED AT {result.stopped_at}'}   {result.reason}\n")
    return int(ExitCode.OK if result.passed else ExitCode.FINDINGS)


def new_canaries(count: int) -> Canaries:
    """Return canaries with a marker and a chat of their own."""
    token = secrets.randbits(40)
    return Canaries(marker=f"canary-{token:010x}", group=-(1_000_000_000_000 + token), count=count)


async def verify_target(
    target: Target, canaries: Canaries, *, deadline: float, keep: bool, output: Output
) -> Verification:
    """Verify and show each stage as it is proved; first sweep what an interrupted proof has left.

    SIGTERM, by which CI and `timeout` end a command, ends it as Ctrl-C does: the canaries are removed.

    Raises:
        asyncio.CancelledError: it was interrupted; the canaries have been removed.
    """
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    def show(stage: StageResult) -> None:
        mark = "✓" if stage.passed else "✗"
        line = f"  {mark} {stage.name:<15} {stage.count:>3}/{stage.expected:<3} {stage.latency:6.1f} s   {stage.detail}"
        output.say(line.rstrip())

    async with target:
        for line in await sweep(target):
            output.tell(line)
        return await verify(target, canaries, deadline=deadline, keep=keep, progress=show, notice=output.tell)


def append_to_run(target: Target, verification: Verification) -> None:
    """Put the proof into the last run that repaired something, or else the last: its report tells the whole story.

    A cause that was found after the repairs is a story of its own.
    """
    store = RunStore(target.root)
    try:
        run = store.latest(tells_of_trouble)
        if run is not None and (not run.repairs or taken_back(run)):
            run = store.latest()
    except RecordError:
        return  # an unreadable older record is no reason to withhold a proof
    if run is not None:
        store.save_if_possible(replace(run, verification=verification))
