"""The parts that need no server: ports, addresses, plans, states, files, requests, code."""

from __future__ import annotations

import io
import json
import socket
import string
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from doctor.pipeline.sandbox.addresses import Addresses, as_dotenv, without_password
from doctor.pipeline.sandbox.code_edit import swap_ranges
from doctor.pipeline.sandbox.code_watch import code_digest
from doctor.pipeline.sandbox.control import Control, Wanted, read_control, write_control
from doctor.pipeline.sandbox.conversation import text_of, update
from doctor.pipeline.sandbox.errors import NotASandboxError
from doctor.pipeline.sandbox.files import read_json, replace_text, tail
from doctor.pipeline.sandbox.plan import make_plan, read_plan, write_plan
from doctor.pipeline.sandbox.ports import free_port, is_free
from doctor.pipeline.sandbox.state import (
    ProcessRecord,
    SandboxState,
    ServiceState,
    ServiceStatus,
    Status,
    read_state,
    state_from_json,
)


def test_a_port_that_is_taken_is_not_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        other = free_port()
        assert not is_free(taken)
        picks = iter([taken, other])
        assert free_port(pick=lambda low, high: next(picks)) == other


def test_when_no_port_is_free_that_is_said() -> None:
    with pytest.raises(OSError, match="no free port"):
        free_port(taken=range(70_000))


@given(st.dictionaries(st.sampled_from(["A", "B_C", "D1"]), st.text(string.printable.replace("\r", ""), max_size=40)))
def test_what_is_written_to_dotenv_is_read_back(values: dict[str, str]) -> None:
    assert dotenv_values(stream=io.StringIO(as_dotenv(values)), interpolate=False) == values


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True))
def test_no_password_is_left_in_an_address_for_people(password: str) -> None:
    shown = without_password(f"postgresql://me:{password}@host:5432/base?x=1")
    assert shown == "postgresql://me:***@host:5432/base?x=1"
    assert without_password("nats://host:4222") == "nats://host:4222"


def test_a_process_gets_nothing_of_the_callers_project() -> None:
    plan = make_plan("x", {})
    addresses = Addresses(plan, {"postgres": 1, "nats": 2, "models": 3, "api": 4})
    caller = {"PATH": "/bin", "OPENAI_API_KEY": "k", "DATABASE_URL": "postgresql://elsewhere/", "API_TOKEN": "t"}
    found = addresses.environment(("RUN", "7"), caller)
    assert found["PATH"] == "/bin"
    assert found["RUN"] == "7"
    assert found["DATABASE_URL"].startswith("postgresql://sandbox:")
    assert not {"OPENAI_API_KEY", "API_TOKEN"} & found.keys()
    assert plan.database_password not in json.dumps(addresses.without_secrets())


@pytest.mark.parametrize(
    ("given_host", "host"),
    [("", ""), ("box", "http://box:11434"), ("box:1", "http://box:1"), ("https://box", "https://box")],
)
def test_ollama_host_is_completed_as_its_client_does(given_host: str, host: str) -> None:
    assert make_plan("x", {"OLLAMA_HOST": given_host}).ollama_host == host


@given(st.text(max_size=100))
def test_any_name_gives_a_database_name_that_postgresql_keeps_whole(name: str) -> None:
    database = make_plan(name, {}).database
    assert len(database) <= 63
    assert set(database) <= set(string.ascii_lowercase + string.digits + "_")


def test_a_plan_is_read_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    plan = make_plan("x", {"DATABASE_URL": "postgresql+asyncpg://a:b@c/d", "NATS_URL": "nats://e"})
    write_plan(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600
    assert plan.given == ("postgres", "nats")
    assert Addresses(plan).database_url == f"postgresql://a:b@c/{plan.database}"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": 1}'])
def test_a_damaged_plan_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(NotASandboxError, match="damaged"):
        read_plan(tmp_path / "plan.json")


def test_a_state_survives_json(tmp_path: Path) -> None:
    service = ServiceState("api", ServiceStatus.BACKOFF, ProcessRecord(7, 1.5), 80, "then", 3, "ended with SIGKILL")
    state = SandboxState("n", "/d", Status.DEGRADED, "run", "then", ProcessRecord(1, 2.0), services={"api": service})
    assert state_from_json(json.loads(json.dumps(state.to_json()))) == state
    (tmp_path / "sandbox.json").write_text('{"name": "half')
    assert read_state(tmp_path / "sandbox.json") is None


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_text(path, "one")
    with path.open() as old:
        replace_text(path, "other", mode=0o600)
        assert old.read() == "one"
    assert path.read_text() == "other"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert read_json(path) is None


def test_the_end_of_a_log_is_shown_even_when_it_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert tail(path) == ""
    path.write_bytes(b"x\n" * 100_000 + b"\xff last\n")
    assert tail(path, 2).splitlines() == ["x", "\ufffd last"]


def test_a_request_that_cannot_be_read_asks_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    assert read_control(path) == Control()
    write_control(path, Control(4, {"nats": Wanted.PAUSED}))
    assert read_control(path).of("nats") is Wanted.PAUSED
    assert read_control(path).of("api") is Wanted.RUNNING
    for damaged in ('{"wanted": {"nats": "dancing"}}', '{"wanted": 3}', "{"):
        path.write_text(damaged)
        assert read_control(path) == Control()


def test_the_digest_changes_with_any_file_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "a.py"
    file.write_text("a\nb\n")
    before = code_digest(tmp_path)
    file.write_text("b\na\n")
    assert code_digest(tmp_path) != before
    (tmp_path / "notes.txt").write_text("not code")
    file.write_text("a\nb\n")
    assert code_digest(tmp_path) == before
    file.rename(tmp_path / "deep" / "b.py")
    assert code_digest(tmp_path) != before
    assert code_digest(tmp_path / "nowhere") == ""


@given(st.lists(st.binary(max_size=3).map(lambda line: line + b"\n"), min_size=4, max_size=9), st.data())
def test_ranges_of_lines_are_exchanged_and_exchanged_back(lines: list[bytes], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(1, len(lines)), min_size=4, max_size=4, unique=True)))
    a, b, c, d = cuts
    swapped = swap_ranges(lines, (a, b), (c, d))
    assert sorted(swapped) == sorted(lines)
    assert swapped[: a - 1] == lines[: a - 1]
    assert swapped[d:] == lines[d:]
    back = swap_ranges(swapped, (a, a + d - c), (a + d - c + c - b, d))
    assert back == lines


def test_no_two_messages_have_the_same_text_or_number() -> None:
    assert len({text_of(number) for number in range(200)}) == 200
    assert update(3, -5, 4)["message"]["message_id"] == 4
    assert len({update(0, chat, number)["update_id"] for chat in (-1, -2) for number in range(1, 50)}) == 98
