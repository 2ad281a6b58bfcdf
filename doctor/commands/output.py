"""Where a command's words go: reports to stdout or files, progress to a terminal's stderr, nothing else anywhere."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from doctor.plugins import Registry, load_registry, with_file
from doctor.record import redacted
from doctor.redaction import printable, redact
from doctor.report import Appendix, Presentation
from doctor.verdict import exit_code

if TYPE_CHECKING:
    from doctor.log_summary import LogSummary
    from doctor.model import CheckResult, Repair, Run

F = TypeVar("F", bound=Callable[..., Any])

ERASE = "\r\x1b[2K"
"""Begin the terminal's line anew."""

PLAIN_WIDTH = 100
"""Columns when the output is no terminal, so that files do not depend on the window they were made in."""


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """One ``--format NAME[:PATH]``."""

    name: str
    path: Path | None = None


class _FormatType(click.ParamType[FormatChoice]):
    """``known`` returns the names of the formats that there are."""

    name = "format"

    def __init__(self, known: Callable[[], Collection[str]]) -> None:
        self._known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FormatChoice:
        if isinstance(value, FormatChoice):
            return value
        name, colon, path = str(value).partition(":")
        known = self._known()
        if name not in known:
            self.fail(f"unknown format {name!r}; choose from {', '.join(sorted(known))}", param, ctx)
        if colon and not path:
            self.fail(f"{value} names no file; without the colon it goes to stdout", param, ctx)
        return FormatChoice(name, Path(path) if path else None)


SUFFIXES = {".html": "html", ".htm": "html", ".json": "json", ".txt": "text"}
"""The format of a report's file that is named like this, unless --format says otherwise."""


def format_named(file: Path, otherwise: str) -> str:
    """Return the format of which a file's name speaks."""
    return SUFFIXES.get(file.suffix.lower(), otherwise)


_registry: list[Registry] = []


def registry() -> Registry:
    """Return the plugins, loaded once per process."""
    if not _registry:
        _registry.append(load_registry())
    return _registry[0]


def add_plugin(path: Path) -> None:
    """Add what a file of Python brings, for the rest of this process."""
    _registry[:] = [with_file(registry(), path)]


def _one_on_stdout(
    _context: click.Context, _option: click.Parameter, formats: tuple[FormatChoice, ...]
) -> tuple[FormatChoice, ...]:
    """Refuse two documents in one stream: neither could be read."""
    on_stdout = [choice.name for choice in formats if choice.path is None]
    if len(on_stdout) > 1:
        first, second = on_stdout[:2]
        raise click.BadParameter(f"{first} and {second} would both go to stdout; write one to a file: {second}:PATH")
    return formats


def format_option(default: str) -> Callable[[F], F]:
    """Add ``--format``, repeatable, with the format that is shown when none is asked for."""
    return _format_option(default, "text, json, sarif … (`doctor list formats`)", lambda: registry().reports)


def log_format_option(default: str) -> Callable[[F], F]:
    """Add ``--format`` for what logs tell."""
    return _format_option(default, "text or json", lambda: registry().log_reports)


def _format_option(default: str, names: str, known: Callable[[], Collection[str]]) -> Callable[[F], F]:
    return click.option(
        "--format",
        "formats",
        type=_FormatType(known),
        multiple=True,
        metavar="FMT[:PATH]",
        default=(default,),
        callback=_one_on_stdout,
        help=f"{names}, to stdout or a file; repeatable ({default}).",
    )


class Output:
    """Shows reports and progress as the options and the terminal allow."""

    def __init__(self, *, color: str = "auto", quiet: bool = False, verbose: bool = False) -> None:
        self.color = color
        self.quiet = quiet
        self.verbose = verbose
        self._line_is_open = False

    def presentation(self, *, to_file: bool = False) -> Presentation:
        """Return how to show a report: coloured only on a terminal, or when asked."""
        terminal = sys.stdout.isatty() and not to_file
        wanted = {"always": True, "never": False}.get(self.color)
        color = terminal and "NO_COLOR" not in os.environ if wanted is None else wanted and not to_file
        width = min(shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns, 120) if terminal else PLAIN_WIDTH
        return Presentation(color=color, width=width, verbose=self.verbose, quiet=self.quiet)

    def emit(self, run: Run, formats: tuple[FormatChoice, ...], changes: tuple[Repair, ...] = ()) -> None:
        """Write the run in every format asked for; ``changes`` are for those that show what could be changed.

        Raises:
            click.ClickException: when a file cannot be written.
        """
        run = redacted(run)
        with_changes = replace(run, repairs=(*run.repairs, *redacted(changes)))
        reports = registry().reports

        def render(name: str, presentation: Presentation) -> str:
            return reports[name].render(with_changes if reports[name].shows_changes else run, presentation)

        self._emit(formats, render)
        for choice in formats:
            append(reports[choice.name].appendix, run)

    def shows_changes(self, formats: tuple[FormatChoice, ...]) -> bool:
        """Tell whether one of the formats shows what could be changed in the source."""
        return any(registry().reports[choice.name].shows_changes for choice in formats)

    def exit_code(self, run: Run, formats: tuple[FormatChoice, ...]) -> int:
        """Return the exit code of a run: the verdict's, or that of the protocol which has stdout."""
        on_stdout = [registry().reports[choice.name] for choice in formats if choice.path is None]
        own = next((report.exit_code for report in on_stdout if report.exit_code is not None), None)
        return int(exit_code(run)) if own is None else own(run)

    def emit_difference(self, before: Run, after: Run, formats: tuple[FormatChoice, ...]) -> None:
        """Write what changed from one run to another in every format asked for.

        Raises:
            click.ClickException: when a file cannot be written.
            click.UsageError: a format cannot tell a difference.
        """
        before, after = redacted(before), redacted(after)
        reports = registry().reports

        def render(name: str, presentation: Presentation) -> str:
            tell = reports[name].render_difference
            if tell is None:
                able = ", ".join(sorted(each for each, report in reports.items() if report.render_difference))
                raise click.UsageError(f"{name} cannot tell a difference; these can: {able}")
            return tell(before, after, presentation)

        self._emit(formats, render)

    def emit_logs(self, summary: LogSummary, formats: tuple[FormatChoice, ...]) -> None:
        """Write what logs tell in every format asked for.

        Raises:
            click.ClickException: when a file cannot be written.
        """
        summary = redacted(summary)
        reports = registry().log_reports
        self._emit(formats, lambda name, presentation: reports[name].render(summary, presentation))

    def _emit(self, formats: tuple[FormatChoice, ...], render: Callable[[str, Presentation], str]) -> None:
        for choice in formats:
            text = render(choice.name, self.presentation(to_file=choice.path is not None))
            if choice.path is None:
                self.write(text)
            else:
                write_file(choice.path, text)

    def write(self, text: str) -> None:
        """Write to stdout as UTF-8; a reader that went away is not an error of the run.

        Raises:
            click.ClickException: it cannot be written, as on a full disk.
        """
        self.clear()
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            discard_stdout()
        except OSError as error:
            discard_stdout()
            raise click.ClickException(f"standard output cannot be written: {error.strerror}") from error

    def say(self, text: str) -> None:
        """Write one line about the target to stdout, cleaned of secrets and of what a terminal would obey."""
        self.write(f"{printable(redact(text))}\n")

    def tell(self, text: str, formats: tuple[FormatChoice, ...] = ()) -> None:
        """Write one line about the progress to stderr, unless one of ``formats`` has stdout for a program."""
        if not self.quiet and not self.silent(formats):
            self.clear()
            click.echo(printable(redact(text)), err=True)

    def teller(self, formats: tuple[FormatChoice, ...] = ()) -> Callable[[str], None]:
        """Return a function that shows one changing line on a terminal's stderr, and nothing elsewhere.

        The line goes when something else is written.
        """
        if self.quiet or self.silent(formats) or not sys.stderr.isatty():
            return lambda _text: None

        def tell(text: str) -> None:
            room = shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns - 4
            click.echo(f"{ERASE}  {printable(redact(text))[:room]}", err=True, nl=False)
            self._line_is_open = True

        return tell

    def clear(self) -> None:
        """Take the changing line away."""
        if self._line_is_open:
            click.echo(ERASE, err=True, nl=False)
            self._line_is_open = False

    def silent(self, formats: tuple[FormatChoice, ...]) -> bool:
        """Tell whether stdout belongs to a program, so that nothing may appear beside the document."""
        known = registry().reports
        return any(known[choice.name].machine and choice.path is None for choice in formats)

    def silent_logs(self, formats: tuple[FormatChoice, ...]) -> bool:
        """Tell the same of formats for what logs tell."""
        known = registry().log_reports
        return any(known[choice.name].machine and choice.path is None for choice in formats)

    @contextmanager
    def progress(self, total: int, formats: tuple[FormatChoice, ...] = ()) -> Iterator[Any]:
        """Yield a function that is told of each finished check; draws on a terminal's stderr only."""
        if self.quiet or self.silent(formats) or not sys.stderr.isatty():
            yield lambda _result: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("  {task.description:<32}"), BarColumn(24), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("checking", total=total)

            def advance(result: CheckResult) -> None:
                bar.update(task, advance=1, description=f"{result.code} {result.name}")

            yield advance


def discard_stdout() -> None:
    """Lead stdout to nowhere, so that the interpreter does not fail again when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def append(appendix: Appendix | None, run: Run) -> None:
    """Append what a format adds to the file that the environment names, if it names one.

    Raises:
        click.ClickException: the file cannot be written.
    """
    name = "" if appendix is None else os.environ.get(appendix.variable, "")
    if appendix is None or not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(appendix.render(run))
    except OSError as error:
        raise click.ClickException(f"{appendix.variable}: {name}: cannot be written: {error.strerror}") from error


def write_file(path: Path, text: str) -> None:
    """Write a report file in one step.

    Raises:
        click.ClickException: when the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from error
