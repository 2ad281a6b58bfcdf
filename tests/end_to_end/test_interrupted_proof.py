"""However a proof ends, its canaries go; and nothing goes that was not theirs."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.end_to_end.patient import ask, doctor, eventually, tables, write

CANARIES = "SELECT count(*) FROM messages WHERE content LIKE '[canary-%'"


@contextmanager
def proof(sandbox: Sandbox, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``doctor verify`` on the side."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "doctor", "verify", *words],
        cwd=sandbox.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


STALL = "agent-config-inactive"
"""A fault that stops the chain behind the scoring without a dead letter that would tell, so that a proof waits."""


def test_sigterm_removes_the_canaries(patient: Sandbox) -> None:
    patient.break_(STALL)
    before = tables(patient)
    with proof(patient) as process:
        eventually(lambda: ask(patient, CANARIES)[0][0] == 15, "the canaries are saved")
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted: removed 15 public.messages" in errors
    assert tables(patient)["messages"] == before["messages"]
    assert not list((patient.directory / ".doctor" / "canaries").glob("*"))


def test_a_database_that_goes_away_is_told_in_a_sentence_and_the_canaries_go_later(patient: Sandbox) -> None:
    patient.break_(STALL)
    before = tables(patient)
    with proof(patient) as process:
        eventually(lambda: ask(patient, CANARIES)[0][0] == 15, "the canaries are saved")
        patient.stop("postgres")
        output, errors = process.communicate(timeout=120)
    patient.start("postgres")
    assert process.returncode == 3, errors
    assert "Traceback" not in errors
    assert "cannot verify: " in output
    assert "`doctor undo` removes the rest later" in errors
    eventually(lambda: doctor(patient, "undo").returncode == 0, "the database is there again")
    assert tables(patient)["messages"] == before["messages"]


@pytest.mark.parametrize("command", ["undo", "verify"])
def test_what_a_killed_proof_has_left_is_swept(patient: Sandbox, command: str) -> None:
    patient.break_(STALL)
    before = tables(patient)
    with proof(patient) as process:
        eventually(lambda: ask(patient, CANARIES)[0][0] == 15, "the canaries are saved")
        process.kill()
        process.wait()
    assert ask(patient, CANARIES) == [(15,)]
    patient.heal(STALL)
    swept = doctor(patient, command)
    assert swept.returncode == 0, swept.stdout + swept.stderr
    # What was on its way when the fault was healed may have come to topics and atoms; they go as well.
    said = r"of a proof that was interrupted: removed (?:\d+ public\.\w+, )*15 public\.messages"
    assert re.search(said, swept.stdout + swept.stderr)
    assert tables(patient)["messages"] == before["messages"]
    assert "nothing to undo" in doctor(patient, "undo").stdout


def test_a_proof_that_runs_is_not_swept(patient: Sandbox) -> None:
    patient.break_(STALL)
    with proof(patient, "--deadline", "8") as process:
        eventually(lambda: ask(patient, CANARIES)[0][0] == 15, "the canaries are saved")
        assert "nothing to undo" in doctor(patient, "undo").stdout
        assert ask(patient, CANARIES) == [(15,)]
        process.communicate(timeout=60)
    assert ask(patient, CANARIES) == [(0,)]


def test_rows_that_may_be_somebody_elses_stay(patient: Sandbox) -> None:
    write(
        patient,
        "CREATE TABLE channels (id int PRIMARY KEY, name text)",
        "INSERT INTO channels VALUES (7, 'general')",
        "CREATE TABLE channel_members (id serial PRIMARY KEY, channel_id int REFERENCES channels)",
        "INSERT INTO channel_members (channel_id) SELECT 7 FROM generate_series(1, 200)",
        "ALTER TABLE messages ADD channel_id int DEFAULT 7 REFERENCES channels",
    )
    try:
        proved = doctor(patient, "verify")
        members = ask(patient, "SELECT count(*) FROM channel_members JOIN channels ON channels.id = channel_id")
    finally:
        write(
            patient,
            "ALTER TABLE messages DROP channel_id",
            "DROP TABLE channel_members",
            "DROP TABLE channels",
        )
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert members == [(200,)]
    assert "rows of public.channels stay" in proved.stdout
    assert ask(patient, CANARIES) == [(0,)]


def test_rows_without_a_key_of_one_column_go_with_what_they_refer_to(patient: Sandbox) -> None:
    write(
        patient,
        "CREATE TABLE topic_tags (topic_id bigint REFERENCES topics, tag text, PRIMARY KEY (topic_id, tag))",
        "CREATE FUNCTION tag() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO topic_tags VALUES (NEW.id, 'new'); RETURN NEW; END $$",
        "CREATE TRIGGER tag AFTER INSERT ON topics FOR EACH ROW EXECUTE FUNCTION tag()",
    )
    try:
        proved = doctor(patient, "verify")
        left = ask(patient, "SELECT count(*) FROM topic_tags")
    finally:
        write(patient, "DROP TABLE topic_tags", "DROP FUNCTION tag CASCADE")
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert left == [(0,)]
    assert ask(patient, CANARIES) == [(0,)]


def test_nothing_is_sent_while_the_queue_does_not_answer(patient: Sandbox) -> None:
    before = tables(patient)
    process = patient.state().services["nats"].process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        stopped = doctor(patient, "verify", "--deadline", "5")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert stopped.returncode == 1
    assert "STOPPED AT received" in stopped.stdout
    assert "nothing was sent" in stopped.stdout
    assert tables(patient) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('isolated_by = "chat_id"', 'isolated_by = "sender"', "must be a bigint column"),
        ('isolated_by = "chat_id"', 'isolated_by = ""', "must be a bigint column"),
        ('content = "content"', 'content = "chat_id"', "must be a text column"),
        ('message_table = "messages"', 'message_table = "messages; DROP TABLE messages"', "is not in the database"),
        ('column = "importance_score"', 'column = "no_such_column"', "has no such column"),
        ('column = "importance_score"\n', "", "names no table and column"),
        ('"X-Telegram-Bot-Api-Secret-Token"', '"X-é"', "no name of a header"),
        ('"POST /webhook/telegram"', '"POST /webhook\\r\\nX: y"', "not of the form"),
    ],
)
def test_what_could_not_be_cleaned_up_is_not_begun(patient: Sandbox, old: str, new: str, said: str) -> None:
    configuration = patient.layout.doctor_toml
    text = configuration.read_text(encoding="utf-8")
    assert old in text
    before = tables(patient)
    configuration.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        refused = doctor(patient, "verify")
    finally:
        configuration.write_text(text, encoding="utf-8")
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert said in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    assert tables(patient) == before


@pytest.mark.parametrize("address", ["127.0.0.1:1", "file:///etc/passwd", "http://", "http://[::1"])
def test_an_address_that_is_none_is_refused(patient: Sandbox, address: str) -> None:
    refused = doctor(patient, "verify", API_URL=address)
    assert refused.returncode == 2
    assert "API_URL" in refused.stderr


@pytest.mark.parametrize("kind", ["drips", "never ends"])
async def test_an_answer_without_end_is_cut_off(patient: Sandbox, kind: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                size = 1 if kind == "drips" else 65_536
                writer.write(b"%x\r\n%s\r\n" % (size, b"x" * size))
                await writer.drain()
                if kind == "drips":
                    await asyncio.sleep(0.1)
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    stopped = await asyncio.to_thread(doctor, patient, "verify", "--deadline", "2", API_URL=f"http://127.0.0.1:{port}")
    server.close()
    assert stopped.returncode == 1, stopped.stdout + stopped.stderr
    assert "STOPPED AT received" in stopped.stdout
    assert "Traceback" not in stopped.stderr
