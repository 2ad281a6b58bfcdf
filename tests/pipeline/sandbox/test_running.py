"""A sandbox that is up: the chain runs, code and services can be changed while it does."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import psutil
import psycopg
import pytest

from doctor.pipeline.sandbox.errors import (
    DeadlineError,
    NotASandboxError,
    NotRunningError,
    SandboxError,
    StartError,
    UnknownNameError,
)
from doctor.pipeline.sandbox.layout import SERVICES
from doctor.pipeline.sandbox.sandbox import Sandbox, list_sandboxes
from doctor.pipeline.sandbox.state import ServiceStatus, Status

COUNT_STAGES = """
    SELECT count(*), count(importance_score), count(topic_id), count(embedding) FROM messages WHERE chat_id = %s
"""


def stages(sandbox: Sandbox, chat_id: int) -> tuple[int, int, int, int]:
    """Return how many messages of a chat were saved, scored, assigned and embedded."""
    with sandbox.connect() as connection:
        row = connection.execute(COUNT_STAGES, (chat_id,)).fetchone()
    assert row is not None
    return tuple(row)  # type: ignore[return-value]


def health(sandbox: Sandbox) -> str:
    """Return what the application says of itself; nothing while it does not answer."""
    try:
        answer = httpx.get(f"{sandbox.environment()['API_URL']}/health", timeout=10, trust_env=False)
    except httpx.TransportError:
        return ""
    return str(answer.json()["status"])


def test_everything_is_up_and_says_where_it_is(running: Sandbox) -> None:
    state = running.state()
    assert state.status is Status.READY
    assert tuple(state.services) == SERVICES
    for service in state.services.values():
        assert service.status is ServiceStatus.READY
        assert service.process is not None
        assert psutil.pid_exists(service.process.pid)
        assert running.layout.log(service.name).is_file()
    assert health(running) == "ok"
    text = running.layout.state_file.read_text()
    environment = running.environment()
    assert environment["TELEGRAM_WEBHOOK_SECRET"] not in text
    assert environment["DATABASE_URL"] not in text
    assert running.layout.env_file.stat().st_mode & 0o777 == 0o600


def test_messages_go_through_the_whole_chain(running: Sandbox, eventually: Callable[..., None]) -> None:
    chat = -1_001
    sent = running.send_messages(15, chat)
    assert len(set(sent)) == 15
    eventually(lambda: stages(running, chat)[:2] == (15, 15), "15 messages saved and scored")
    eventually(lambda: stages(running, chat)[3] >= 10, "at least 10 messages with topic and vector")
    with running.connect() as connection:
        topics = connection.execute("SELECT count(*) FROM topics WHERE chat_id = %s", (chat,)).fetchone()
        atoms = connection.execute("SELECT count(*) FROM atoms WHERE chat_id = %s", (chat,)).fetchone()
        failed = connection.execute("SELECT count(*) FROM failed_tasks").fetchone()
    assert topics is not None
    assert topics[0] >= 2
    assert atoms is not None
    assert atoms[0] >= 3
    assert failed == (0,)
    assert not set(running.send_messages(2, chat)) & set(sent)


def test_a_search_finds_what_was_said(running: Sandbox, eventually: Callable[..., None]) -> None:
    chat = -1_002
    running.send_messages(12, chat)
    eventually(lambda: stages(running, chat)[3] >= 10, "vectors")
    answer = httpx.post(
        f"{running.environment()['API_URL']}/api/v1/semantic_search/messages",
        json={"query": "why is the vector index slow since the migration?"},
        timeout=10,
        trust_env=False,
    )
    assert answer.status_code == 200
    assert "vector index" in answer.text


def test_the_worker_runs_changed_code_without_being_told(running: Sandbox) -> None:
    file = running.layout.app / "importance.py"
    original = file.read_bytes()
    before = running.state()
    assert b"NOISE_BELOW" in original
    file.write_bytes(original + b"\n# changed\n")
    running.await_code_restart()
    after = running.state()
    for name in SERVICES:
        old, new = before.services[name].process, after.services[name].process
        assert (old != new) is (name in {"api", "worker"})
    assert after.code_restarts == before.code_restarts + 1
    assert all(service.restarts == 0 for service in after.services.values())
    file.write_bytes(original)
    running.await_code_restart()
    running.await_code_restart(deadline=0.0)


def test_work_in_hand_is_finished_before_the_worker_starts_again(
    running: Sandbox, eventually: Callable[..., None]
) -> None:
    chat = -1_004
    host = running.environment()["OLLAMA_HOST"]
    slow = {"rules": [{"paths": ["/api/chat"], "delay_seconds": 4}]}
    httpx.put(f"{host}/_stand_in/behaviour", json=slow, timeout=5, trust_env=False).raise_for_status()
    running.send_messages(10, chat)
    file = running.layout.app / "importance.py"
    original = file.read_bytes()
    with running.connect() as connection:
        status = "SELECT status FROM extractions WHERE chat_id = %s"
        eventually(lambda: connection.execute(status, (chat,)).fetchone() == ("running",), "the extraction has begun")
        file.write_bytes(original + b"\n# changed\n")
        running.await_code_restart()
        assert connection.execute(status, (chat,)).fetchone() == ("completed",)
        assert connection.execute("SELECT count(*) FROM failed_tasks").fetchone() == (0,)
    httpx.delete(f"{host}/_stand_in/behaviour", timeout=5, trust_env=False).raise_for_status()
    file.write_bytes(original)
    running.await_code_restart()
    eventually(lambda: stages(running, chat)[3] >= 10, "what was still to be embedded is")


def test_code_that_does_not_start_is_tried_again_but_not_in_a_tight_loop(
    running: Sandbox, eventually: Callable[..., None]
) -> None:
    file = running.layout.app / "settings.py"
    original = file.read_bytes()
    file.write_bytes(b"raise RuntimeError('broken on purpose')\n" + original)
    with pytest.raises(DeadlineError, match="do not come up"):
        running.await_code_restart(deadline=2.5)
    state = running.state()
    assert state.status is Status.DEGRADED
    assert state.services["api"].restarts <= 4
    eventually(lambda: running.state().services["api"].restarts >= 2, "it is tried again")
    assert running.state().services["postgres"].restarts == 0
    file.write_bytes(original)
    running.await_code_restart()
    assert running.state().status is Status.READY


@pytest.mark.parametrize("service", ["postgres", "nats", "models", "api", "worker"])
def test_a_service_that_is_killed_comes_back_on_its_port(
    running: Sandbox, eventually: Callable[..., None], service: str
) -> None:
    before = running.state().services[service]
    running.kill(service)
    eventually(lambda: running.state().services[service].restarts > before.restarts, "the death is noticed")
    eventually(lambda: running.state().status is Status.READY, f"{service} is back")
    after = running.state().services[service]
    assert after.port == before.port
    assert after.process != before.process
    eventually(lambda: health(running) == "ok", "the application has found it again")


@pytest.mark.parametrize("service", ["postgres", "nats", "models", "worker"])
def test_a_service_can_be_stopped_and_started_again(
    running: Sandbox, eventually: Callable[..., None], service: str
) -> None:
    process = running.state().services[service].process
    assert process is not None
    running.stop(service)
    assert not psutil.pid_exists(process.pid)
    assert running.state().status is Status.DEGRADED
    running.start(service)
    assert running.state().services[service].status is ServiceStatus.READY
    eventually(lambda: health(running) == "ok", "the application has found it again")


def test_a_frozen_service_keeps_its_connections_and_answers_nothing(
    running: Sandbox, eventually: Callable[..., None]
) -> None:
    url = running.environment()["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        running.pause("postgres")
        assert running.state().services["postgres"].status is ServiceStatus.PAUSED
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            psycopg.connect(url, connect_timeout=2)
        running.start("postgres")
        assert connection.execute("SELECT 1").fetchone() == (1,)
    running.pause("models")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{running.environment()['OLLAMA_HOST']}/api/tags", timeout=0.3, trust_env=False)
    running.start("models")
    eventually(lambda: health(running) == "ok", "all is well again")


def test_tasks_sent_while_the_worker_is_stopped_are_not_lost(running: Sandbox, eventually: Callable[..., None]) -> None:
    chat = -1_003
    running.stop("worker")
    running.send_messages(3, chat)
    assert stages(running, chat)[0] == 0
    running.start("worker")
    eventually(lambda: stages(running, chat)[:2] == (3, 3), "saved and scored after all")


def test_a_service_or_fault_that_does_not_exist_is_named(running: Sandbox) -> None:
    with pytest.raises(UnknownNameError, match="it has postgres, nats, models, api, worker"):
        running.stop("redis")
    with pytest.raises(UnknownNameError, match="decorator-order"):
        running.break_("no-such-fault")


def test_history_is_old_without_vectors_and_added_once(running: Sandbox) -> None:
    added = running.add_history(30, 20)
    again = running.add_history(30, 20)
    assert (added.messages, added.atoms) == (30, 20)
    assert (again.messages, again.atoms) == (0, 0)
    with running.connect() as connection:
        young = connection.execute(
            "SELECT count(*) FROM messages WHERE external_id LIKE 'history:%' AND "
            "(created_at > now() - interval '47 hours' OR embedding IS NOT NULL OR topic_id IS NULL)"
        ).fetchone()
        connection.execute("DELETE FROM messages WHERE external_id LIKE 'history:%'")
        connection.execute("DELETE FROM atoms WHERE extraction_id IS NULL")
        connection.execute("DELETE FROM topics WHERE description LIKE 'Before%'")
    assert young == (0,)


def test_a_sandbox_that_is_up_stays_as_it_is(running: Sandbox) -> None:
    told: list[str] = []
    supervisor = running.state().supervisor
    assert running.up(progress=told.append).supervisor == supervisor
    assert told == ["already up"]
    assert Sandbox.open(running.directory).state().supervisor == supervisor
    assert [found.name for found in list_sandboxes(running.directory.parent)] == [running.name]


def test_the_application_is_a_copy_without_what_it_does_not_need(running: Sandbox) -> None:
    assert (running.layout.app / "main.py").is_file()
    assert (running.layout.app / "schema.sql").is_file()
    assert running.layout.doctor_toml.is_file()
    assert not list(running.layout.app.rglob("__pycache__"))


def test_two_sandboxes_run_side_by_side(running: Sandbox, make_sandbox: Callable[..., Sandbox]) -> None:
    other = make_sandbox("second")
    lines: list[str] = []
    other.up(with_parent=True, progress=lines.append)
    assert any("postgres ready on port" in line for line in lines)
    ports = [service.port for sandbox in (running, other) for service in sandbox.state().services.values()]
    assert len({port for port in ports if port}) == 8
    other.send_messages(1, -5)
    with running.connect() as connection:
        assert connection.execute("SELECT count(*) FROM messages WHERE chat_id = -5").fetchone() == (0,)
    other.down(keep_data=True)
    assert running.state().status is Status.READY
    assert other.state().status is Status.DOWN
    with pytest.raises(NotRunningError):
        other.connect()
    with pytest.raises(NotRunningError, match="start it with"):
        other.stop("nats")
    # What was kept is there again, at the same addresses.
    before = other.environment()
    other.up(with_parent=True)
    assert other.environment() == before
    with other.connect() as connection:
        assert connection.execute("SELECT count(*) FROM agent_configs").fetchone() == (1,)
    (other.directory / ".doctor").mkdir()
    other.down(keep_data=False)
    assert not other.directory.exists()
    with pytest.raises(NotASandboxError):
        Sandbox.open(other.directory)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(NotASandboxError, match="not empty"):
        Sandbox.create(tmp_path, name="x", environment={})
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]
    sandbox = Sandbox.create(tmp_path / "new", name="x", environment={})
    assert sandbox.state().status is Status.DOWN
    with pytest.raises(NotASandboxError, match="already"):
        Sandbox.create(tmp_path / "new", name="x", environment={})
    with pytest.raises(NotRunningError, match="never up"):
        sandbox.environment()


def test_of_commands_that_make_one_sandbox_at_once_each_has_it_or_waits(tmp_path: Path) -> None:
    together = Barrier(4)

    def make(place: Path) -> str:
        together.wait()
        try:
            return str(Sandbox.create(place, name="one", environment={}, exist_ok=True).directory)
        except NotASandboxError as error:
            return str(error)

    with ThreadPoolExecutor(max_workers=4) as commands:
        for place in (tmp_path / str(number) for number in range(4)):
            told = list(commands.map(make, [place] * 4))
            assert str(place) in told
            assert set(told) <= {str(place), f"{place} is being made by another command: wait for it"}
            with pytest.raises(NotASandboxError, match="is a sandbox already"):
                Sandbox.create(place, name="one", environment={})


def test_a_start_that_fails_says_why_and_leaves_nothing(
    make_sandbox: Callable[..., Sandbox], remains: Callable[..., list[int]]
) -> None:
    sandbox = make_sandbox("fails")
    (sandbox.layout.app / "schema.py").write_text("raise SystemExit('no schema today')\n")
    with pytest.raises(StartError, match="no schema today"):
        sandbox.up(with_parent=True)
    assert sandbox.state().status is Status.FAILED
    state = json.loads(sandbox.layout.state_file.read_text())
    assert remains(sandbox.state()) == []
    assert "no schema today" in state["detail"]


def test_a_server_that_does_not_start_is_named_with_its_reason(
    make_sandbox: Callable[..., Sandbox], remains: Callable[..., list[int]]
) -> None:
    sandbox = make_sandbox("no-postgres")
    (sandbox.layout.data / "postgres").write_text("in the way")
    with pytest.raises(StartError, match=r"postgres: .*File exists"):
        sandbox.up(with_parent=True)
    assert remains(sandbox.state()) == []


def test_a_start_that_takes_too_long_leaves_nothing(
    make_sandbox: Callable[..., Sandbox], remains: Callable[..., list[int]]
) -> None:
    sandbox = make_sandbox("slow")
    (sandbox.layout.app / "schema.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(DeadlineError, match="waiting for"):
        sandbox.up(with_parent=True, deadline=2.5)
    assert remains(sandbox.state()) == []


def test_an_update_that_is_refused_is_told_with_the_words_of_the_api(running: Sandbox) -> None:
    with pytest.raises(SandboxError, match="refused an update"):
        running.send_messages(1, 2**70)


def test_nothing_listens_beyond_loopback(running: Sandbox) -> None:
    state = running.state()
    for service in state.services.values():
        assert service.process is not None
        for connection in psutil.Process(service.process.pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1"


def test_the_client_tools_of_postgresql_can_connect_with_what_dotenv_says(running: Sandbox) -> None:
    from doctor.pipeline.sandbox.binaries import postgres_programs

    psql = [str(postgres_programs() / "psql"), running.environment()["DATABASE_URL"], "-Atc", "SELECT 1"]
    env = {**os.environ, "PGCONNECT_TIMEOUT": "5"}
    assert subprocess.run(psql, capture_output=True, text=True, check=True, timeout=20, env=env).stdout == "1\n"
