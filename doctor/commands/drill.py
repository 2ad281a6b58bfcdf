"""``doctor drill``: every fault, alone and together, in sandboxes of its own; how often the diagnosis is right."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import click

from doctor import __version__
from doctor.commands.list import table
from doctor.commands.options import presentation_options
from doctor.commands.output import Output, write_file
from doctor.commands.sandbox import UP_DEADLINE, sandbox_errors
from doctor.drill.document import document, score_rows
from doctor.drill.outcome import Outcome, Shown
from doctor.drill.score import scores
from doctor.verdict import ExitCode
from doctor.wording import counted

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.rounds import Round
    from doctor.pipeline.sandbox.sandbox import Sandbox

STATE = Path(".doctor/drill.jsonl")
"""The outcomes of the last drill, one a line, in the order in which the rounds have ended."""


@click.command("drill")
@click.option("--only", multiple=True, metavar="NAME", help="Run rounds with this fault or noise; repeatable.")
@click.option("--pairs", type=click.IntRange(min=0), default=0, metavar="N", help="Add N pairs of faults (0).")
@click.option("--jobs", type=click.IntRange(min=1, max=16), default=1, metavar="N", help="Sandboxes side by side (1).")
@click.option("--resume", is_flag=True, help="Go on with the last drill; what has ended is not run again.")
@click.option("--json", "as_json", is_flag=True, help="Print scores and rounds as JSON.")
@click.option("-o", "--output", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page of it.")
@presentation_options
def drill_command(
    only: tuple[str, ...], pairs: int, jobs: int, resume: bool, as_json: bool, page: Path | None, output: Output
) -> int:
    """Break the example pipeline, ask for a diagnosis, and compare it with what was broken.

    Runs healthy controls, every fault alone and some in threes. With --pairs, also pairs of faults that can hold
    together, evenly chosen of all. Each sandbox is found healthy before a round, and made anew when it is not.

    \b
    Exit codes: 0 all targets reached   1 some are not   2 no such fault
    """
    with sandbox_errors():
        chosen = _chosen(only, pairs)
        known = _known() if resume else {}
        STATE.unlink(missing_ok=True)
        for outcome in known.values():  # without a line that was cut short: the next would be added to it
            _keep(outcome)
        left = [one for one in chosen if one.name not in known]
        if not as_json:
            output.tell(f"{counted(len(left), 'round')}, {counted(jobs, 'sandbox', 'sandboxes')} side by side")
        for outcome in _run(left, jobs):
            known[outcome.name] = outcome
            _keep(outcome)
            if not as_json:
                _tell(outcome, output)
    return _show([known[one.name] for one in chosen if one.name in known], page, output, as_json=as_json)


def _show(outcomes: Sequence[Outcome], page: Path | None, output: Output, *, as_json: bool) -> int:
    found = scores(outcomes)
    missed = [text for one in found for text in one.missed_targets]
    if page is not None:
        write_file(page, document(outcomes, __version__))
    if as_json:
        rounds = [asdict(one) for one in outcomes]
        shown = {"scores": [asdict(one) for one in found], "not_reached": missed, "rounds": rounds}
        output.write(json.dumps(shown, indent=2) + "\n")
    else:
        output.write("\n" + table(score_rows(found)))
        output.write("".join(f"not reached: {text}\n" for text in missed) or "all targets are reached\n")
    return int(ExitCode.FINDINGS if missed else ExitCode.OK)


def _chosen(only: Sequence[str], pairs: int) -> list[Round]:
    """Return the rounds that are asked for.

    Raises:
        click.UsageError: a name is neither that of a fault nor that of a control.
    """
    from doctor.pipeline.sandbox.rounds import Kind, all_rounds

    rounds = list(all_rounds())
    names = {name for one in rounds for name in (one.faults or (one.name,))}
    if unknown := sorted(set(only) - names):
        raise click.UsageError(f"there is no fault {unknown[0]!r}; there are {', '.join(sorted(names))}")
    wanted = [one for one in rounds if not only or set(only) & {one.name, *one.faults}]
    some = [one for one in wanted if one.kind is Kind.PAIR]
    step = max(1, len(some) // pairs) if pairs else 0
    return [one for one in wanted if one.kind is not Kind.PAIR] + (some[::step][:pairs] if pairs else [])


def _run(rounds: Sequence[Round], jobs: int) -> Iterator[Outcome]:
    """Run the rounds, yield each outcome when it is there, and take every sandbox down at the end."""
    with _folder() as folder, ExitStack() as sandboxes:
        free: SimpleQueue[_Stand] = SimpleQueue()
        for number in range(min(jobs, len(rounds))):
            free.put(sandboxes.enter_context(_Stand(folder / f"drill-{number + 1}")))
        executor = sandboxes.enter_context(ThreadPoolExecutor(jobs))
        sandboxes.callback(executor.shutdown, cancel_futures=True)
        for done in as_completed([executor.submit(_in_a_free_stand, free, one) for one in rounds]):
            yield done.result()


def _in_a_free_stand(free: SimpleQueue[_Stand], one: Round) -> Outcome:
    stand = free.get()
    try:
        return stand.run(one)
    finally:
        free.put(stand)


class _Stand:
    """A place for one sandbox, which is made anew when it does not get well."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sandbox: Sandbox | None = None

    def __enter__(self) -> _Stand:
        return self

    def __exit__(self, *_: object) -> None:
        if self.sandbox is not None:
            self.sandbox.down(keep_data=False)

    def run(self, one: Round) -> Outcome:
        """Run a round; what keeps it from ending becomes part of its outcome."""
        from doctor.commands.drill_round import expected, run_round
        from doctor.pipeline.sandbox.errors import SandboxError

        try:
            outcome = run_round(self._healthy(), one)
        except SandboxError as error:
            outcome = Outcome(one.name, str(one.kind), expected(one), Shown(), problem=str(error))
        if outcome.problem or outcome.afterwards:
            self._drop()
        return outcome

    def _healthy(self) -> Sandbox:
        """Return the sandbox, which the last round has left healthy, or a new one.

        Raises:
            SandboxError: it does not come up, or a check finds something in it.
        """
        from doctor.commands.drill_round import left_after_healing
        from doctor.pipeline.sandbox.errors import StartError
        from doctor.pipeline.sandbox.sandbox import Sandbox

        if self.sandbox is None:
            self.sandbox = Sandbox.create(self.directory, name=self.directory.name, environment={})
            self.sandbox.up(with_parent=True, deadline=UP_DEADLINE)
            if left := left_after_healing(self.sandbox):
                raise StartError(f"{self.directory} is not healthy when it is new: {left}")
        return self.sandbox

    def _drop(self) -> None:
        if self.sandbox is not None:
            self.sandbox.down(keep_data=False)
            self.sandbox = None


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="doctor-drill-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(one: Outcome, output: Output) -> None:
    roots = " ".join(one.shown.roots) or "no root cause"
    output.write(f"{'✓' if one.is_right else '✗'} {one.seconds:4.1f} s  {one.name}: {one.problem or roots}\n")


def _known() -> dict[str, Outcome]:
    """Return the outcomes of the last drill; a line that was cut short is left out."""
    found = {}
    for line in _lines():
        try:
            outcome = Outcome.from_json(line)
        except (ValueError, TypeError, KeyError):
            continue
        found[outcome.name] = outcome
    return found


def _lines() -> Iterable[str]:
    return STATE.read_text(encoding="utf-8").splitlines() if STATE.is_file() else ()


def _keep(outcome: Outcome) -> None:
    STATE.parent.mkdir(parents=True, exist_ok=True)
    with STATE.open("a", encoding="utf-8") as file:
        file.write(outcome.as_json() + "\n")
