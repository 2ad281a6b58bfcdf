"""Undo gives back what the doctor wrote and nothing else; what somebody changed since stays, and is named."""

from __future__ import annotations

import json

from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.record import RunStore
from tests.end_to_end.patient import (
    ask,
    check,
    doctor,
    effects,
    eventually,
    journals,
    send_and_await_saved,
    tables,
    write,
)

OWN_WORK = "SELECT id, importance_score, topic_id, embedding::text FROM messages WHERE chat_id = -4300 ORDER BY id"
HISTORY = "SELECT count(*), count(embedding) FROM messages WHERE created_at < now() - interval '1 day'"


def test_what_the_pipeline_wrote_itself_stays(patient: Sandbox) -> None:
    patient.break_("null-embeddings", "agent-config-inactive", "model-not-available")
    send_and_await_saved(patient)
    eventually(lambda: "CHN001" in effects(check(patient)), "the messages wait")
    before = tables(patient)
    assert doctor(patient, "fix", "--yes").returncode == 0
    own_work = ask(patient, OWN_WORK)
    assert sum(embedding is not None for *_, embedding in own_work) >= 10
    assert ask(patient, HISTORY) == [(237, 237)]
    atoms_of_the_pipeline = ask(patient, "SELECT count(*) FROM atoms WHERE extraction_id IS NOT NULL")

    undone = doctor(patient, "undo")

    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert tables(patient)["agent_configs"] == before["agent_configs"]
    assert ask(patient, HISTORY) == [(237, 0)]
    assert ask(patient, "SELECT count(embedding) FROM atoms WHERE extraction_id IS NULL") == [(0,)]
    assert ask(patient, OWN_WORK) == own_work
    assert ask(patient, "SELECT count(embedding) FROM atoms WHERE extraction_id IS NOT NULL") == atoms_of_the_pipeline
    rest = tables(patient)
    assert "nothing to undo" in doctor(patient, "undo").stdout
    assert tables(patient) == rest


def test_a_row_that_was_changed_since_stays_and_the_rest_returns(patient: Sandbox) -> None:
    patient.break_("null-embeddings", "agent-config-inactive", "model-not-available")
    assert doctor(patient, "fix", "--yes").returncode == 0
    write(patient, "UPDATE agent_configs SET model_name = 'qwen3:8b'")
    undone = doctor(patient, "undo")
    assert undone.returncode == 1
    assert "a row of public.agent_configs was changed since the repair" in undone.stdout
    assert ask(patient, "SELECT is_active, model_name FROM agent_configs") == [(False, "qwen3:8b")]
    assert ask(patient, HISTORY) == [(237, 0)]


def test_the_record_does_not_call_undone_what_was_left_alone(patient: Sandbox) -> None:
    patient.break_("agent-config-inactive", "model-not-available")
    assert doctor(patient, "fix", "--yes").returncode == 0
    write(patient, "UPDATE agent_configs SET model_name = 'qwen3:8b'")
    assert doctor(patient, "undo").returncode == 1
    run = RunStore(patient.directory).load(journals(patient)[-1].parent.name)
    assert {repair.code: str(repair.status) for repair in run.repairs} == {"AGT001": "undone", "MOD001": "verified"}


def test_an_inserted_row_that_somebody_went_on_with_stays(patient: Sandbox) -> None:
    patient.break_("agent-config-missing")
    assert doctor(patient, "fix", "--yes", "--unsafe-fixes").returncode == 0
    # The doctor gave this column no value of its own.
    write(patient, "UPDATE agent_configs SET temperature = 0.9")
    undone = doctor(patient, "undo")
    assert undone.returncode == 1
    assert "left alone  the row inserted into public.agent_configs was changed since" in undone.stdout
    assert ask(patient, "SELECT temperature FROM agent_configs") == [(0.9,)]
    write(patient, "DELETE FROM agent_configs")


def test_a_vector_that_was_changed_since_stays_and_is_named(patient: Sandbox) -> None:
    patient.add_history(20, 5)
    assert doctor(patient, "fix", "--yes").returncode == 0
    write(
        patient,
        "UPDATE messages SET embedding = (SELECT embedding FROM messages ORDER BY id DESC LIMIT 1) "
        "WHERE id = (SELECT min(id) FROM messages)",
    )
    undone = doctor(patient, "undo")
    assert ask(patient, HISTORY) == [(20, 1)]
    assert "left alone  1 vector of public.messages changed since" in undone.stdout
    assert undone.returncode == 1


def test_a_run_is_undone_by_its_name_and_an_unknown_one_is_refused(patient: Sandbox) -> None:
    patient.break_("agent-config-inactive")
    assert doctor(patient, "fix", "--yes").returncode == 0
    patient.break_("model-not-available")
    assert doctor(patient, "fix", "--yes").returncode == 0
    first = journals(patient)[0].parent.name
    assert doctor(patient, "undo", first).returncode == 0
    assert ask(patient, "SELECT is_active, model_name FROM agent_configs") == [(False, "qwen2:7b-instruct-q4_K_M")]
    refused = doctor(patient, "undo", "20200101T000000Z-none")
    assert refused.returncode == 2
    assert "no run '20200101T000000Z-none' here" in refused.stderr


def test_nothing_is_repaired_or_undone_while_another_repair_is_at_work(patient: Sandbox) -> None:
    patient.break_("agent-config-inactive")
    assert doctor(patient, "fix", "--yes").returncode == 0
    after = tables(patient)
    with RunStore(patient.directory).exclusive():
        for words in (("fix", "--yes"), ("undo",)):
            refused = doctor(patient, *words)
            assert refused.returncode == 2
            assert "another `doctor fix` or `doctor undo` is at work here" in refused.stderr
    assert tables(patient) == after
    entries = [json.loads(line) for line in journals(patient)[-1].read_text().splitlines()]
    assert [entry["kind"] for entry in entries] == ["repair", "row"]
