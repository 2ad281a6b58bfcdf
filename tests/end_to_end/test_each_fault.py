"""Each fault alone, as the drill judges it, and what a person may do about some of them."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from doctor.commands.drill_round import run_round
from doctor.drill.document import what_is_wrong
from doctor.model import Applicability, Run, Status
from doctor.pipeline.sandbox.fault import all_faults
from doctor.pipeline.sandbox.rounds import Kind, all_rounds
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.verdict import ExitCode, exit_code
from tests.end_to_end.patient import ask, check, codes, doctor, effects, eventually, roots, send_and_await_saved, write

FAULTS = all_faults()
ROUNDS = {one.name: one for one in all_rounds() if one.kind is not Kind.PAIR}
UNTOLD = "wrong-vantage"
"""What cannot be judged from here is not repaired from here either."""

ASSIGNED = (
    "SELECT count(*), count(importance_score), count(topic_id), count(embedding) FROM messages WHERE chat_id = -4300"
)

TYPE = """
    SELECT format_type(atttypid, atttypmod), attstorage::text FROM pg_attribute
    WHERE attrelid = 'messages'::regclass AND attname = 'embedding'
"""


def broken(patient: Sandbox, name: str) -> Run:
    """Break it, send 15 messages where the chain is to stop, and wait until all of the effects can be seen."""
    patient.break_(name)
    wanted = set(FAULTS[name].expected.effects)
    if not wanted:
        return check(patient)
    send_and_await_saved(patient)
    return eventually(lambda: run if wanted <= effects(run := check(patient)) else None, f"{wanted} are seen")


def assert_named(run: Run, name: str) -> None:
    expected = FAULTS[name].expected
    assert roots(run) == expected.roots
    assert effects(run) == set(expected.effects)
    assert codes(run, run.diagnosis.contributing) == set(expected.contributing)
    assert codes(run, run.diagnosis.left_over) == set(expected.left_over)
    assert set(expected.unknown) <= {result.code for result in run.current if result.status is Status.UNKNOWN}
    assert run.diagnosis.unexplained == ()
    assert codes(run, run.diagnosis.advice) - {"VEC001"} == set(expected.advice)


@pytest.mark.parametrize("name", [name for name, one in ROUNDS.items() if one.kind is not Kind.TRIPLE])
def test_a_round_of_the_drill_is_right(running: Sandbox, name: str) -> None:
    outcome = run_round(running, ROUNDS[name])  # which finds it healthy, and leaves it so
    assert outcome.is_right, what_is_wrong(outcome)


def test_what_is_repaired_brings_the_waiting_messages_to_their_topics(patient: Sandbox) -> None:
    broken(patient, "decorator-order")
    repaired = doctor(patient, "fix", "--yes")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    received, scored, assigned, embedded = ask(patient, ASSIGNED)[0]
    assert (received, scored) == (15, 15)
    assert assigned >= 10
    assert embedded >= assigned


def test_what_only_containers_reach_is_neither_an_outage_nor_repaired(patient: Sandbox) -> None:
    run = broken(patient, UNTOLD)
    assert_named(run, UNTOLD)
    assert exit_code(run) is ExitCode.INCOMPLETE
    assert doctor(patient, "fix", "--yes").returncode == ExitCode.USAGE
    patient.heal(UNTOLD)
    assert exit_code(check(patient)) is ExitCode.OK


def test_messages_that_waited_for_a_missing_agent_are_followed_to_their_topics(patient: Sandbox) -> None:
    run = broken(patient, "agent-config-missing")
    (option,) = run.finding(run.diagnosis.roots[0].findings[0]).fixes
    assert option.applicability is Applicability.UNSAFE
    repaired = doctor(patient, "fix", "--yes", "--unsafe-fixes")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert ask(patient, ASSIGNED)[0][2] >= 10
    undone = doctor(patient, "undo")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert ask(patient, "SELECT count(*) FROM agent_configs") == [(0,)]
    assert ask(patient, ASSIGNED)[0][2] >= 10


def test_an_empty_column_gets_the_type_of_the_model_and_undo_gives_it_back(patient: Sandbox) -> None:
    patient.break_("dimensions-differ")
    repaired = doctor(patient, "fix", "--yes", "--unsafe-fixes")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert ask(patient, TYPE) == [("vector(768)", "m")]
    undone = doctor(patient, "undo")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert ask(patient, TYPE) == [("vector(1536)", "m")]


def test_undo_leaves_a_column_alone_into_which_vectors_have_come(patient: Sandbox) -> None:
    patient.break_("dimensions-differ")
    assert doctor(patient, "fix", "--yes", "--unsafe-fixes").returncode == 0
    write(
        patient,
        "INSERT INTO messages (external_id, chat_id, content, embedding) "
        "VALUES ('since', -4300, 'since', array_fill(1, ARRAY[768])::vector)",
    )
    undone = doctor(patient, "undo")
    assert undone.returncode != 0
    assert "holds vectors" in undone.stdout + undone.stderr
    assert ask(patient, TYPE) == [("vector(768)", "m")]


@pytest.mark.parametrize(
    ("name", "code", "starter", "added", "left"),
    [
        (
            "initialisation-race",
            "INI001",
            b"self._ensure_initialized()",
            {b"await self.ensure_initialized()"},
            (),
        ),
        ("double-initialisation", "INI002", b"self._start_loading()", set(), ("INI003",)),
    ],
)
def test_what_a_person_asks_for_by_its_code_awaits_the_initialiser(
    patient: Sandbox, name: str, code: str, starter: bytes, added: set[bytes], left: tuple[str, ...]
) -> None:
    file = patient.layout.app / "semantic_index.py"
    broken(patient, name)
    before = file.read_bytes()
    repaired = doctor(patient, "fix", code, "--yes", "--unsafe-fixes")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert roots(check(patient)) == left
    old, new = Counter(before.splitlines()), Counter(file.read_bytes().splitlines())
    assert {line.strip() for line in old - new} == {starter}
    assert {line.strip() for line in new - old} == added
    patient.await_code_restart()
    url = f"{patient.environment()['API_URL']}/api/v1/users/-4300/index/content"
    assert httpx.post(url, json={"content": "the index"}, trust_env=False).status_code == 201
    undone = doctor(patient, "undo")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert file.read_bytes() == before
