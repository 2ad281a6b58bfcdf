"""A yes-or-no question: what counts as which answer, and how it is left."""

from __future__ import annotations

import io
import os
import pty
import signal
import threading

import click
import pytest

from doctor.commands.question import ask


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("y\n", True),
        ("YES\n", True),
        (" y \n", True),
        ("n\n", False),
        ("no\n", False),
        ("\n", False),
        ("what\ny\n", True),
    ],
)
def test_an_answer_is_yes_no_or_asked_for_again(typed: str, answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert ask("apply?") is answer


def test_the_end_of_the_input_leaves_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(click.Abort):
        ask("apply?")


def test_an_interrupt_leaves_a_question_that_a_terminal_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    shown, showing = os.pipe()
    before = signal.getsignal(signal.SIGINT)

    def interrupt_once_asked() -> None:
        with os.fdopen(shown, "rb", buffering=0) as screen:
            assert screen.read(len("apply? [y/N]: ")) == b"apply? [y/N]: "
            os.kill(os.getpid(), signal.SIGINT)

    person = threading.Thread(target=interrupt_once_asked)
    with os.fdopen(ours), os.fdopen(theirs) as terminal, os.fdopen(showing, "w") as screen:
        monkeypatch.setattr("sys.stdin", terminal)
        monkeypatch.setattr("sys.stderr", screen)
        person.start()
        with pytest.raises(click.Abort):
            ask("apply?")
        person.join()
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.set_wakeup_fd(-1) == -1
