"""``doctor demo``: the whole story on one machine, told step by step. Exit code 0 only if every step held."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from doctor.commands.auth_act import AuthAct
from doctor.commands.incident_act import IncidentAct
from doctor.commands.models_act import ModelsAct
from doctor.commands.options import presentation_options
from doctor.commands.output import Output
from doctor.commands.sandbox import sandbox_errors
from doctor.commands.story import StepFailedError, Story
from doctor.verdict import ExitCode

ACTS: dict[str, type[Story]] = {"incident": IncidentAct, "models": ModelsAct, "auth": AuthAct}
"""What can be told, the story of the incident first."""


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the sandbox running afterwards.")
@click.option(
    "-o",
    "--report",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("RCA.md"),
    help="Where the root-cause report goes (RCA.md), and the run record beside it; the act `auth` has none.",
)
@click.option(
    "--act",
    type=click.Choice(list(ACTS)),
    default="incident",
    show_default=True,
    help="What is told: the incident, models that seem to be away, or tokens that are all refused.",
)
@presentation_options
def demo_command(keep: bool, report: Path, act: str, output: Output) -> int:
    """Run the real incident: 15 messages go in, nothing comes out, no error anywhere. Then diagnose, repair and prove.

    Everything is real but the language model, which is a stand-in that speaks Ollama's protocol. Nothing leaves this
    machine, and nothing is left running.

    \b
    Exit codes: 0 every step held   1 a step did not
    """
    story = ACTS[act](output, keep=keep)
    with sandbox_errors(), _termination_as_interrupt():
        try:
            story.tell(report)
        except StepFailedError as error:
            output.write(f"\n  ✗ {error}\n")
            return int(ExitCode.FINDINGS)
    return int(ExitCode.OK)


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, so that the sandbox is taken down."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
