"""A question on the terminal that one Ctrl-C ends, whenever it is pressed."""

from __future__ import annotations

import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

_ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


def ask(question: str) -> bool:
    """Ask a yes-or-no question on standard error; no answer is a no.

    ``click.confirm`` is not enough here: an event loop, which this is called in, only makes a note of Ctrl-C, and one
    that is pressed after the interpreter's last look for signals and before its read waits is lost.

    Raises:
        click.Abort: the person pressed Ctrl-C, or there is nothing more to read.
    """
    try:
        with _interrupts_heard() as interrupts:
            while True:
                click.echo(f"{question} [y/N]: ", nl=False, err=True)
                answer = _line(interrupts)
                if answer in _ANSWERS:
                    return _ANSWERS[answer]
                click.echo("Please answer y or n.", err=True)
    except KeyboardInterrupt:
        raise click.Abort from None


def _line(interrupts: socket.socket) -> str:
    """Return the next line in small letters; a terminal is read only once it has a line, or the end, to give.

    Raises:
        click.Abort: there is nothing more to read.
    """
    if sys.stdin.isatty():
        select.select([sys.stdin, interrupts], [], [])
    line = sys.stdin.readline()
    if not line:
        raise click.Abort
    return line.strip().lower()


@contextmanager
def _interrupts_heard() -> Iterator[socket.socket]:
    """Let Ctrl-C raise KeyboardInterrupt, and give a socket that is readable as soon as it is pressed."""
    heard, told = socket.socketpair()
    with heard, told:
        told.setblocking(False)
        descriptor = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        noted = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield heard
        finally:
            signal.signal(signal.SIGINT, noted)
            signal.set_wakeup_fd(descriptor)
