"""The proof stops where the chain stops, takes nothing that it did not bring, and refuses what is not safe."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor.pipeline.sandbox.sandbox import Sandbox

DOCTOR = str(Path(sys.executable).with_name("doctor"))
COMMAND_DEADLINE = 120.0
LOGS = {"task_executions"}
"""Tables that record what happened; the canaries' rows there are history, not data."""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox.create(tmp_path_factory.mktemp("verify") / "sandbox", name="verify")
    made.up(with_parent=True)
    yield made
    made.down(keep_data=False)


def verify(sandbox: Sandbox, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DOCTOR, "verify", *words],
        cwd=sandbox.directory,
        capture_output=True,
        text=True,
        timeout=COMMAND_DEADLINE,
        check=False,
    )


def rows(sandbox: Sandbox) -> dict[str, int]:
    with sandbox.connect() as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        names = sorted(str(name) for (name,) in tables if name not in LOGS)
        return {name: int(str(connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])) for name in names}


def test_a_proof_leaves_every_table_as_it_was(sandbox):
    sandbox.add_history(20, 5)
    before = rows(sandbox)
    proof = verify(sandbox)
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert [line.split()[1] for line in proof.stdout.splitlines() if "✓" in line] == [
        "received",
        "saved",
        "scored",
        "extracted",
        "embedded",
        "embedded",
        "found",
    ]
    assert rows(sandbox) == before


def test_kept_canaries_stay_with_what_came_of_them(sandbox):
    before = rows(sandbox)
    assert verify(sandbox, "--keep").returncode == 0
    after = rows(sandbox)
    assert after["messages"] == before["messages"] + 15
    assert after["atoms"] > before["atoms"]


@pytest.mark.parametrize(
    ("fault", "stage"),
    [("decorator-order", "scored"), ("agent-config-inactive", "extracted"), ("model-not-available", "extracted")],
)
def test_it_says_at_which_stage_the_chain_stops(sandbox, fault, stage):
    before = rows(sandbox)
    sandbox.break_(fault)
    try:
        proof = verify(sandbox, "--deadline", "3")
    finally:
        sandbox.heal(fault)
    assert proof.returncode == 1, proof.stdout + proof.stderr
    assert f"STOPPED AT {stage}" in proof.stdout
    after = rows(sandbox)
    assert after["messages"] == before["messages"]
    if stage == "scored":  # what never left the first task has no other trace
        assert after == before


def test_it_refuses_where_canaries_could_share_an_extraction(sandbox):
    configuration = sandbox.layout.doctor_toml
    text = configuration.read_text()
    configuration.write_text(text.replace('isolated_by = "chat_id"', "# isolated_by"))
    before = rows(sandbox)
    try:
        proof = verify(sandbox)
    finally:
        configuration.write_text(text)
    assert proof.returncode == 2
    assert "canaries could share an extraction with other messages" in proof.stderr
    assert rows(sandbox) == before


def test_it_refuses_to_write_beyond_this_machine_without_the_target_s_name(sandbox, monkeypatch):
    url = sandbox.environment()["DATABASE_URL"]
    monkeypatch.setenv("DATABASE_URL", url.replace("127.0.0.1", "database.invalid"))
    proof = verify(sandbox)
    assert proof.returncode == 2
    assert "this would write beyond this machine" in proof.stderr
