"""The entry point: runs the command line and turns every ending into one of the exit codes of :mod:`doctor.verdict`.

Imports nothing heavy, so that ``doctor --version`` costs little more than the interpreter's own start.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Sequence

GARBAGE = 20_000
"""Objects after which garbage is looked for; imports make many that stay, and would be searched seventy times."""

INTERRUPTED = 130
"""`doctor.verdict.ExitCode.INTERRUPTED`, which is not to be imported just to be interrupted."""

MESSAGE_LIMIT = 2_000
"""Characters of one message on stderr; a name from outside may be a megabyte long."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``doctor`` with these arguments (default: the process's) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        if words in (["--version"], ["-V"]):
            from doctor import __version__

            sys.stdout.write(f"doctor {__version__}\n")
            sys.stdout.flush()
            return 0
        return _run(words)
    except KeyboardInterrupt:  # while the command line itself is still being imported
        return _interrupted()
    except BrokenPipeError:
        # The reader went away. Keep the interpreter from failing again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"doctor: standard output cannot be written: {error.strerror}\n")
        return 2


def run_command() -> int:
    """Run as the process's only command: what was decided stays, whoever presses Ctrl-C while it ends."""
    code = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An interrupt that passed through an exec of text (dataclasses do one) stays noted in the interpreter, although it
    # was caught, and `python -m` then ends by the signal instead of the code. The next exec clears the note.
    exec("")  # noqa: S102
    return code


def _open_missing_streams() -> None:
    """Put something in the place of streams that the caller has closed (``>&-``); Python leaves None there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for the process


def _interrupted() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stderr.write("interrupted\n")
    return INTERRUPTED


def _run(words: list[str]) -> int:
    from doctor.source import ahead

    ahead.read_ahead(words)  # first of all: it works while the rest is being imported
    gc.set_threshold(GARBAGE)
    try:
        return _run_words(words)
    finally:
        ahead.end_all()


def _run_words(words: list[str]) -> int:
    import click

    from doctor.cli import doctor
    from doctor.verdict import ExitCode

    try:
        result = doctor.main(args=words, prog_name="doctor", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return int(ExitCode.USAGE)
    except click.ClickException as error:
        from doctor.redaction import bounded, printable, redact

        message = bounded(printable(redact(error.format_message())), MESSAGE_LIMIT)
        if not isinstance(error, click.UsageError):
            sys.stderr.write(f"doctor: {message}\n")
        else:
            click.UsageError(message, error.ctx).show()
        return int(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(ExitCode.USAGE)
    except BrokenPipeError:
        raise
    except Exception:  # noqa: BLE001 - the outermost boundary: a bug is shown whole and has its own exit code
        import traceback

        traceback.print_exc()
        sys.stderr.write("This is a bug of doctor itself, not of the target.\n")
        return int(ExitCode.INTERNAL)
    return result if isinstance(result, int) else int(ExitCode.OK)
