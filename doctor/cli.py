"""The command line: which commands there are, and that ``check`` is meant when none is named."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from pathlib import Path

import click

from doctor import __version__

COMMANDS = {
    "init": "Look around and write a doctor.toml that works at once.",
    "check": "Diagnose the target: root causes first, in chain order. Read-only.",
    "fix": "Repair what is safe to repair; `doctor undo` takes it back.",
    "undo": "Take a run's repairs back.",
    "verify": "Send canary messages through the chain and prove every stage.",
    "probe": "One question, one line, one exit code: for HEALTHCHECK and liveness probes.",
    "baseline": "Keep what is known to be wrong in a file, so that only what is new counts.",
    "mute": "Hear nothing of a finding for a while, unless it becomes worse.",
    "unmute": "Take mutes back.",
    "report": "Write the RCA report of the last or a given run.",
    "triage": "Group log lines into issues, and find the source of each.",
    "tracker": "Keep the RCA tracker: what is open, what is proved, what people wrote.",
    "graph": "Draw which route enqueues which task, and which task writes which table.",
    "explain": "Show the page of a check.",
    "list": "List checks, fixes, formats and plugins.",
    "config": "Show what is in force, where it comes from, and what there could be.",
    "sandbox": "Run the example pipeline on real servers, break it, heal it.",
    "demo": "The whole story: break, diagnose, repair, prove, report.",
    "drill": "Break the example pipeline in every way, and score the diagnosis.",
}
"""Name → one line of help. Each is the function of the same name in ``doctor/commands/<name>.py``, imported on
demand."""


class DoctorGroup(click.Group):
    """Loads a command when it is asked for, and reads a path or an option as ``check``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a first encounter, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"doctor.commands.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``check`` in front when nothing, an option of it, or an existing path comes first."""
        if ctx.resilient_parsing:  # a shell asks how a word could go on
            return super().parse_args(ctx, args)
        first = args[0] if args else ""
        is_option = first.startswith("-") and first not in ("--help", "-h", "--version", "-V")
        is_path = first not in COMMANDS and _exists(first)
        return super().parse_args(ctx, ["check", *args] if not first or is_option or is_path else args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command in the error for an unknown word."""
        word = args[0]
        if word not in COMMANDS and not word.startswith("-"):
            from doctor.redaction import bounded

            near = get_close_matches(word, COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`doctor --help` lists the commands."
            raise click.UsageError(f"no command and no path {bounded(word, 200)!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # too long for a name, or with characters that no name has
        return False


@click.group(cls=DoctorGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="doctor %(version)s")
def doctor() -> None:
    """Diagnose, repair and prove an LLM knowledge pipeline.

    Without a command: `doctor check` in this folder.
    """
