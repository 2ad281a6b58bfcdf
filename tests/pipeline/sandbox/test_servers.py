"""The servers of a sandbox by themselves: PostgreSQL as whoever we are, NATS with JetStream."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from doctor.pipeline.sandbox import binaries, nats, postgres
from doctor.pipeline.sandbox.errors import BinaryMissingError, StartError
from doctor.pipeline.sandbox.ports import free_port


@contextmanager
def started(command: list[str], stop: signal.Signals, user: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the length of a block; it must stop by itself when it is asked to."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user) as process:
        try:
            yield process
        finally:
            process.send_signal(stop)
            try:
                process.wait(timeout=10)
            finally:
                process.kill()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox servers ü "))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def run_cluster(folder: Path, how: postgres.Runner, eventually: Callable[..., None]) -> int:
    """Make and start a cluster; returns the user that it runs as."""
    data, port = folder / "postgres", free_port()
    postgres.make_cluster(data, 'it\'s a "secret"', how)
    with started(postgres.command(data, port, how), signal.SIGINT, how.user):
        url = f"postgresql://sandbox:it%27s%20a%20%22secret%22@127.0.0.1:{port}/postgres"
        eventually(lambda: asyncio.run(postgres.is_ready(url)), "PostgreSQL is ready")
        asyncio.run(postgres.create_database(url, "own"))
        asyncio.run(postgres.create_database(url, "own"))
        with psycopg.connect(url.replace("1:" + str(port) + "/postgres", f"1:{port}/own"), autocommit=True) as own:
            own.execute("CREATE EXTENSION vector")
            assert own.execute("SELECT '[1,0]'::vector <=> '[1,0]'").fetchone() == (0.0,)
            assert own.execute("SELECT lower('Ä'), current_setting('server_encoding')").fetchone() == ("ä", "UTF8")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url.replace("secret", "wrong"), connect_timeout=5)
        owner = (data / "PG_VERSION").stat().st_uid
    assert not (data / "postmaster.pid").exists()
    return owner


def test_postgresql_runs_whoever_we_are(open_folder: Path, eventually: Callable[..., None]) -> None:
    assert run_cluster(open_folder, postgres.runner(), eventually) in {os.geteuid(), 65534}


def test_root_without_user_namespaces_runs_it_as_another_user_or_says_why_not(
    open_folder: Path, eventually: Callable[..., None]
) -> None:
    how = postgres.other_user() if os.geteuid() == 0 else postgres.Runner()
    try:
        owner = run_cluster(open_folder, how, eventually)
    except StartError as error:
        # The programs may lie where that user cannot go.
        assert "nobody" in str(error)
    else:
        assert owner != 0


def test_a_cluster_is_made_once_and_again_after_an_interruption(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("18\n")
    postgres.make_cluster(data, "secret")
    made = (data / "global" / "pg_control").stat().st_ino
    postgres.make_cluster(data, "another")
    assert (data / "global" / "pg_control").stat().st_ino == made
    assert [entry.name for entry in tmp_path.iterdir()] == ["postgres"]


def test_a_lock_that_names_another_process_is_removed(tmp_path: Path) -> None:
    lock = tmp_path / "postmaster.pid"
    for content in (f"{os.getpid()}\n{tmp_path}\n", "4194999\n", "", "x"):
        lock.write_text(content)
        postgres.remove_stale_lock(tmp_path)
        assert lock.exists() is (content in {"", "x"})


def test_a_password_file_does_not_stay(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="initdb"):
        postgres.make_cluster(tmp_path / "postgres", "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["postgres"]


def test_nats_is_ready_when_jetstream_is(tmp_path: Path, eventually: Callable[..., None]) -> None:
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    assert not asyncio.run(nats.is_ready(url))
    with started(nats.command(tmp_path, port, "name"), signal.SIGTERM):
        eventually(lambda: asyncio.run(nats.is_ready(url)), "NATS is ready")
        assert not asyncio.run(nats.stream_exists(url))
        assert not asyncio.run(nats.worker_is_listening(url))
    with started([str(binaries.nats_server()), "--addr", "127.0.0.1", "--port", str(port)], signal.SIGTERM) as process:
        assert process.poll() is None
        assert not asyncio.run(nats.is_ready(url))


def test_a_server_that_is_not_installed_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(binaries.shutil, "which", lambda name, path=None: None)
    with pytest.raises(BinaryMissingError, match=r"pip install .* DATABASE_URL"):
        binaries.postgres_programs()
    with pytest.raises(BinaryMissingError, match=r"pip install .* NATS_URL"):
        binaries.nats_server()
