"""The probes on a running pipeline, and on one of which parts are away, frozen or not configured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from doctor.main import main
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.probe import PROBES
from tests.command_line import ADDRESSES
from tests.end_to_end.patient import ask, eventually

Probe = Callable[..., tuple[int, str]]


@pytest.fixture
def probe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Probe:
    """Call the command; returns its code and its only line."""
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)

    def run(folder: Path, *words: str, **variables: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            code = main(["probe", *words, "--path", str(folder)])
        captured = capsys.readouterr()
        assert captured.err == ""
        assert captured.out.count("\n") == 1
        return code, captured.out.strip()

    return run


@pytest.mark.parametrize("name", PROBES)
def test_a_pipeline_that_runs_is_healthy_in_every_part(patient: Sandbox, probe: Probe, name: str):
    code, line = probe(patient.directory, name)
    assert (code, line.startswith(f"ok {name}: ")) == (0, True), line


@pytest.mark.parametrize(
    ("name", "variable", "value", "says"),
    [
        ("db", "DATABASE_URL", "postgresql://someone:hunter2@127.0.0.1:1/x", "nothing listens"),
        ("nats", "NATS_URL", "nats://someone:hunter2@127.0.0.1:1", "nothing listens"),
        ("worker", "NATS_URL", "nats://127.0.0.1:1", "nothing listens"),
        ("model", "OLLAMA_HOST", "http://127.0.0.1:1", "nothing listens"),
        ("model", "OLLAMA_EMBEDDING_MODEL", "no-such-model", "no model 'no-such-model'"),
        ("pipeline", "OLLAMA_HOST", "http://127.0.0.1:1", "model nothing listens"),
    ],
)
def test_what_is_away_is_named_without_secrets(patient: Sandbox, probe: Probe, name, variable, value, says):
    code, line = probe(patient.directory, name, **{variable: value})
    assert code == 1
    assert line.startswith(f"FAIL {name}: ")
    assert says in line
    assert "hunter2" not in line


@pytest.mark.parametrize("name", PROBES)
def test_what_is_not_configured_is_neither_healthy_nor_sick(tmp_path: Path, probe: Probe, name: str):
    code, line = probe(tmp_path, name)
    assert (code, line.startswith(f"not configured {name}: ")) == (3, True), line


def test_a_worker_that_is_gone_is_named_and_a_canary_is_not_left_behind(patient: Sandbox, probe: Probe):
    patient.stop("worker")
    try:
        code, line = probe(patient.directory, "worker")
        assert (code, line) == (1, "FAIL worker: no worker runs; 0 waiting, 0 at work")
        assert probe(patient.directory, "worker", "--canary")[0] == 1
    finally:
        patient.start("worker")
    assert probe(patient.directory, "nats")[0] == 0


def test_a_server_that_is_frozen_ends_the_probe_at_its_deadline(patient: Sandbox, probe: Probe):
    patient.pause("nats")
    try:
        started = time.monotonic()
        code, line = probe(patient.directory, "nats", "--timeout", "0.5")
        assert time.monotonic() - started < 2
    finally:
        patient.start("nats")
    assert (code, line.startswith("FAIL nats: ")) == (1, True)


def test_a_canary_goes_through_queue_and_worker_and_leaves_nothing(patient: Sandbox, probe: Probe):
    code, line = probe(patient.directory, "worker", "--canary")
    assert code == 0
    assert "canary done in " in line
    log = patient.layout.log("worker")
    eventually(lambda: "doctor:canary" in log.read_text(), "the worker warns of a task that it does not know")
    assert ask(patient, "SELECT count(*) FROM failed_tasks") == [(0,)]
    assert probe(patient.directory, "worker")[1] == "ok worker: idle, asks for tasks; 0 waiting, 0 at work"


def test_a_canary_that_is_slower_than_the_threshold_is_said_to_be(patient: Sandbox, probe: Probe):
    code, line = probe(patient.directory, "worker", "--canary", "--warn", "0.000001")
    assert code == 0
    assert line.endswith("slower than 0.001 ms")


def test_a_canary_beyond_this_machine_needs_the_name_of_the_target(tmp_path: Path, capsys):
    (tmp_path / ".env").write_text("NATS_URL=nats://nats.invalid:4222\n")
    assert os.environ.get("NATS_URL") is None
    assert main(["probe", "worker", "--canary", "--path", str(tmp_path)]) == 2
    assert "--target" in capsys.readouterr().err
    assert main(["probe", "db", "--canary", "--path", str(tmp_path)]) == 2
