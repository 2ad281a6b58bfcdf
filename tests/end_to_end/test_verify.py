"""The proof stops where the chain stops, takes nothing that it did not bring, and refuses what is not safe."""

import re

import pytest

from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.end_to_end.patient import doctor

LOGS = {"task_executions"}
"""Tables that record what happened; the canaries' rows there are history, not data."""


def rows(sandbox: Sandbox) -> dict[str, int]:
    with sandbox.connect() as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        names = sorted(str(name) for (name,) in tables if name not in LOGS)
        return {name: int(str(connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])) for name in names}


def test_a_proof_leaves_every_table_as_it_was(patient):
    patient.add_history(20, 5)
    before = rows(patient)
    proof = doctor(patient, "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert [line.split()[1] for line in proof.stdout.splitlines() if "✓" in line] == [
        "received",
        "saved",
        "scored",
        "threshold",
        "extracted",
        "embedded",
        "embedded",
        "found",
    ]
    assert re.search(r"✓ extracted .* topics [1-9]\d*, atoms [1-9]\d*, atom_links \d+, \d+ wait", proof.stdout)
    assert rows(patient) == before


def test_kept_canaries_stay_with_what_came_of_them(patient):
    before = rows(patient)
    assert doctor(patient, "verify", "--keep").returncode == 0
    after = rows(patient)
    assert after["messages"] == before["messages"] + 15
    assert after["atoms"] > before["atoms"]


@pytest.mark.parametrize(
    ("fault", "stage", "deadline", "reason"),
    [
        (
            "decorator-order",
            "scored",
            "600",
            "`app.tasks.scoring:score_message_task` gave up: 'function' object has no",
        ),
        ("agent-config-inactive", "threshold", "3", "nothing took them within 3 s"),
        (
            "model-not-available",
            "extracted",
            "600",
            "`app.tasks.extraction:extract_knowledge_from_messages_task` gave up",
        ),
    ],
)
def test_it_says_at_which_stage_the_chain_stops(patient, fault, stage, deadline, reason):
    before = rows(patient)
    patient.break_(fault)
    try:
        proof = doctor(patient, "verify", "--deadline", deadline)
    finally:
        patient.heal(fault)
    assert proof.returncode == 1, proof.stdout + proof.stderr
    assert f"STOPPED AT {stage}" in proof.stdout
    assert reason in " ".join(proof.stdout.split())
    assert rows(patient) == before


def test_it_refuses_where_canaries_could_share_an_extraction(patient):
    configuration = patient.layout.doctor_toml
    text = configuration.read_text()
    configuration.write_text(text.replace('isolated_by = "chat_id"', "# isolated_by"))
    before = rows(patient)
    try:
        proof = doctor(patient, "verify")
    finally:
        configuration.write_text(text)
    assert proof.returncode == 2
    assert "canaries could share an extraction with other messages" in proof.stderr
    assert rows(patient) == before


def test_it_refuses_to_write_beyond_this_machine_without_the_target_s_name(patient):
    url = patient.environment()["DATABASE_URL"]
    proof = doctor(patient, "verify", DATABASE_URL=url.replace("127.0.0.1", "database.invalid"))
    assert proof.returncode == 2
    assert "this would write beyond this machine" in proof.stderr
