"""Servers that run already are used, and left as they were found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import psycopg
import pytest

from doctor.pipeline.sandbox import nats
from doctor.pipeline.sandbox.errors import StartError, UnknownNameError
from doctor.pipeline.sandbox.ports import free_port
from doctor.pipeline.sandbox.sandbox import Sandbox

DATABASES = "SELECT datname FROM pg_database WHERE datname LIKE 'sandbox_guest%'"


def test_a_given_database_and_model_server_are_shared_without_mixing(
    running: Sandbox, make_sandbox: Callable[..., Sandbox], stand_in: httpx.Client, eventually: Callable[..., None]
) -> None:
    host = running.environment()
    given = {
        "DATABASE_URL": host["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"),
        "OLLAMA_HOST": str(stand_in.base_url).removeprefix("http://").rstrip("/"),
    }
    guest = make_sandbox("guest", given)
    state = guest.up(with_parent=True)
    assert state.given == ("postgres", "models")
    assert set(state.services) == {"nats", "api", "worker"}
    assert guest.environment()["OLLAMA_HOST"] == str(stand_in.base_url).rstrip("/")
    guest.send_messages(1, -7)
    with guest.connect() as mine, running.connect() as theirs:
        eventually(lambda: mine.execute("SELECT count(*) FROM messages").fetchone() == (1,), "the message is saved")
        assert theirs.execute("SELECT count(*) FROM messages WHERE chat_id = -7").fetchone() == (0,)
        assert theirs.execute(DATABASES).fetchall() != []
    with pytest.raises(UnknownNameError, match="of its own"):
        guest.stop("postgres")
    guest.down(keep_data=False)
    with running.connect() as theirs:
        assert theirs.execute(DATABASES).fetchall() == []


def test_a_nats_server_with_somebody_elses_tasks_is_not_used(
    running: Sandbox, make_sandbox: Callable[..., Sandbox]
) -> None:
    guest = make_sandbox("nats-guest", {"NATS_URL": running.environment()["NATS_URL"]})
    with pytest.raises(StartError, match="would take the tasks"):
        guest.up(with_parent=True)
    assert asyncio.run(nats.stream_exists(running.environment()["NATS_URL"]))


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "postgresql://me:hidden@127.0.0.1:{port}/x"),
        ("NATS_URL", "nats://127.0.0.1:{port}"),
        ("OLLAMA_HOST", "http://127.0.0.1:{port}"),
    ],
)
def test_a_given_server_that_does_not_answer_is_named_without_its_password(
    make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    guest = make_sandbox("nobody-there", {variable: url.format(port=free_port())})
    with pytest.raises(StartError, match=rf"{variable} is set, but nothing usable answers") as raised:
        guest.up(with_parent=True)
    assert "hidden" not in str(raised.value)
    guest.layout.plan_file.unlink()


def test_a_sandbox_whose_given_database_is_gone_cannot_be_removed_silently(
    running: Sandbox, make_sandbox: Callable[..., Sandbox]
) -> None:
    guest = make_sandbox("lost", {"DATABASE_URL": f"postgresql://a:b@127.0.0.1:{free_port()}/x"})
    with pytest.raises(StartError, match="drop it by hand"):
        guest.down(keep_data=False)
    assert guest.layout.plan_file.exists()
    with running.connect() as connection:
        assert isinstance(connection, psycopg.Connection)
