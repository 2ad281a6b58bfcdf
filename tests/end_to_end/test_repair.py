"""What ``doctor fix`` does with its limits: which findings, how many rows, how often, and not at all."""

from __future__ import annotations

import subprocess

from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.command_line import command, environment
from tests.end_to_end.patient import (
    ask,
    doctor,
    eventually,
    files,
    journalled_vectors,
    journals,
    send_and_await_saved,
    tables,
)

EMBEDDED = "SELECT (SELECT count(embedding) FROM messages) + (SELECT count(embedding) FROM atoms)"
AGENT = "SELECT is_active, model_name FROM agent_configs"


def test_a_preview_shows_every_change_and_makes_none(patient: Sandbox) -> None:
    patient.break_("null-embeddings", "decorator-order", "agent-config-inactive", "model-not-available")
    send_and_await_saved(patient)
    sources, rows = files(patient), tables(patient)
    for word in ("--diff", "--dry-run"):
        preview = doctor(patient, "fix", word)
        assert preview.returncode == 1
        for change in ("+@broker.task", "-@broker.task", "SET is_active = true", "SET embedding = …"):
            assert change in preview.stdout
        assert files(patient) == sources
        assert tables(patient) == rows
        assert journals(patient) == []


def test_a_preview_of_a_healthy_pipeline_has_nothing_to_show(patient: Sandbox) -> None:
    assert doctor(patient, "fix", "--diff").returncode == 0


def test_without_a_terminal_and_without_yes_nothing_is_done(patient: Sandbox) -> None:
    patient.break_("agent-config-inactive")
    refused = doctor(patient, "fix")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert ask(patient, AGENT)[0][0] is False


def test_codes_limit_what_is_repaired(patient: Sandbox) -> None:
    patient.break_("null-embeddings", "agent-config-inactive", "model-not-available")
    limited = doctor(patient, "fix", "agt", "--yes")
    assert limited.returncode == 1  # the model is still missing
    assert ask(patient, AGENT) == [(True, "llama3.2:3b")]
    assert ask(patient, EMBEDDED) == [(0,)]


def test_what_nobody_has_described_is_embedded_as_the_source_does_it(patient: Sandbox) -> None:
    patient.break_("null-embeddings")
    described, away = patient.directory / "doctor.toml", patient.directory / "away.toml"
    described.rename(away)
    try:
        repaired = doctor(patient, "fix", "--yes")
    finally:
        away.rename(described)
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert ask(patient, EMBEDDED) == [(362,)]


def test_a_repair_that_was_made_is_not_made_again(patient: Sandbox) -> None:
    patient.break_("null-embeddings", "agent-config-inactive", "model-not-available")
    assert doctor(patient, "fix", "--yes").returncode == 0
    sources, rows, written = files(patient), tables(patient), len(journals(patient))
    assert doctor(patient, "fix", "--yes").returncode == 0
    assert files(patient) == sources
    assert tables(patient) == rows
    assert len(journals(patient)) == written


def test_batch_size_and_limit_hold_for_what_is_written(patient: Sandbox) -> None:
    patient.add_history(50, 30)
    part = doctor(patient, "fix", "EMB001", "--yes", "--batch-size", "7", "--limit", "20")
    assert part.returncode == 1
    batches = journalled_vectors(journals(patient)[-1])
    assert [len(batch) for batch in batches] == [7, 7, 6, 7, 7, 6]  # twenty of each table
    assert ask(patient, EMBEDDED) == [(40,)]


def test_a_backfill_that_was_killed_goes_on_and_embeds_nothing_twice(patient: Sandbox) -> None:
    patient.add_history()
    backfill = ("fix", "EMB001", "--yes", "--batch-size", "5", "--rate", "50")
    process = subprocess.Popen(
        command(*backfill),
        cwd=patient.directory,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: ask(patient, EMBEDDED)[0][0] >= 10, "the backfill has begun")
    process.kill()
    assert process.wait() != 0
    killed = journals(patient)[-1]
    first = [row for batch in journalled_vectors(killed) for row in batch]
    assert killed.stat().st_mode & 0o777 == 0o600
    assert 10 <= len(first) < 362

    assert doctor(patient, "fix", "--yes").returncode == 0
    second = [row for batch in journalled_vectors(journals(patient)[-1]) for row in batch]
    assert ask(patient, EMBEDDED) == [(362,)]
    written = set(first) | set(second)
    assert len(written) == 362
    assert len(second) == len(set(second))

    undone = doctor(patient, "undo", killed.parent.name)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert ask(patient, EMBEDDED) == [(len(set(second) - set(first)),)]


def test_a_backfill_outlives_a_restart_of_the_database(patient: Sandbox) -> None:
    patient.add_history()
    with subprocess.Popen(
        command("fix", "EMB001", "--yes", "--batch-size", "5", "--rate", "100"),
        cwd=patient.directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        eventually(lambda: ask(patient, EMBEDDED)[0][0] >= 10, "the backfill has begun")
        patient.kill("postgres")
        patient.start("postgres")
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert ask(patient, EMBEDDED) == [(362,)]
    written = [row for batch in journalled_vectors(journals(patient)[-1]) for row in batch]
    assert len(set(written)) == 362
