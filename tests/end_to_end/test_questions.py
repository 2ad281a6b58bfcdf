"""Without --yes each repair is asked for on the terminal, and a question can be left."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.record import RunStore
from tests.end_to_end.patient import PATIENCE, ask

AGENT = "SELECT is_active, model_name FROM agent_configs"


@contextmanager
def questioned(sandbox: Sandbox) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run ``doctor fix`` with a terminal of its own, which the yielded descriptor reads and types on."""
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        os.close(os.open(os.ttyname(theirs), os.O_RDWR))  # the first terminal a session opens is its own

    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "doctor", "fix"],
        cwd=sandbox.directory,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, words: str) -> str:
    """Return what the terminal shows up to these words."""
    shown, deadline = "", time.monotonic() + PATIENCE
    while words not in shown:
        assert time.monotonic() < deadline, shown
        if not select.select([terminal], [], [], 1.0)[0]:
            continue
        try:
            shown += os.read(terminal, 4096).decode("utf-8", "replace")
        except OSError:
            break  # the process has closed it
    assert words in shown, shown
    return shown


def test_a_yes_repairs_and_a_no_leaves_alone(patient: Sandbox) -> None:
    patient.break_("agent-config-inactive", "model-not-available")
    with questioned(patient) as (process, terminal):
        assert "SET is_active = true" in read_until(terminal, "apply? [y/N]: ")
        os.write(terminal, b"y\n")
        assert "SET model_name = " in read_until(terminal, "apply? [y/N]: ")
        os.write(terminal, b"n\n")
        read_until(terminal, "STILL THERE")
        assert process.wait(PATIENCE) == 1
    assert ask(patient, AGENT) == [(True, "llama3.2:3b")]


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_leaving_a_question_keeps_and_records_what_was_done_before(patient: Sandbox, key: bytes) -> None:
    patient.break_("agent-config-inactive", "model-not-available")
    with questioned(patient) as (process, terminal):
        read_until(terminal, "apply? [y/N]: ")
        os.write(terminal, b"y\n")
        read_until(terminal, "apply? [y/N]: ")
        os.write(terminal, key)
        read_until(terminal, "REPAIRS")
        assert process.wait(PATIENCE) == 130
    assert ask(patient, AGENT) == [(True, "llama3.2:3b")]
    run = RunStore(patient.directory).latest()
    assert run is not None
    assert {repair.code: str(repair.status) for repair in run.repairs} == {"AGT001": "verified", "MOD001": "planned"}


def test_leaving_a_question_ends_at_once(patient: Sandbox) -> None:
    patient.break_("null-embeddings", "agent-config-inactive", "model-not-available")
    with questioned(patient) as (process, terminal):
        read_until(terminal, "apply? [y/N]: ")
        os.write(terminal, b"\x03")
        assert "apply?" not in read_until(terminal, "NEXT")
        assert process.wait(PATIENCE) == 130
    run = RunStore(patient.directory).latest()
    assert run is not None
    assert [(repair.code, str(repair.status)) for repair in run.repairs] == [
        ("AGT001", "planned")
    ]  # no other was planned
