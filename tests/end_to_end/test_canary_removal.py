"""A proof that fails takes its canaries with it too, with all that came of them, now or later."""

from __future__ import annotations

from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.end_to_end.patient import ask, check, doctor, eventually, tables

UNDER_WAY = "SELECT count(*) FROM extractions WHERE status IN ('claimed', 'running')"


def test_an_extraction_that_failed_on_canaries_leaves_no_row_behind(patient: Sandbox) -> None:
    patient.break_("model-not-available")
    before = tables(patient)
    proof = doctor(patient, "verify", "--deadline", "3")
    assert proof.returncode == 1
    assert "STOPPED AT extracted" in proof.stdout
    eventually(lambda: ask(patient, UNDER_WAY) == [(0,)], "no extraction is under way")
    assert tables(patient) == before


def test_canaries_that_no_worker_took_do_not_arrive_later(patient: Sandbox) -> None:
    before = tables(patient)
    patient.stop("worker")
    try:
        proof = doctor(patient, "verify", "--deadline", "1")
    finally:
        patient.start("worker")
    assert proof.returncode in (1, 2)
    # A message that is sent now is behind the canaries in the queue.
    patient.send_messages(1, -4300)
    eventually(
        lambda: ask(patient, "SELECT count(*) FROM messages WHERE chat_id = -4300 AND importance_score > 0") == [(1,)],
        "a later message has passed",
    )
    arrived = ask(patient, "SELECT count(*) FROM messages WHERE chat_id <> -4300")
    assert arrived == [(0,)], proof.stdout
    assert tables(patient)["topics"] == before["topics"]


def test_a_proof_that_stops_says_why(patient: Sandbox) -> None:
    patient.break_("agent-config-inactive")
    proof = doctor(patient, "verify", "--deadline", "1")
    (line,) = [line for line in proof.stdout.splitlines() if line.startswith("STOPPED AT")]
    reason = line.removeprefix("STOPPED AT threshold").partition(";")[0]
    assert reason.strip()
    assert check(patient)
