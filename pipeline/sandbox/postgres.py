"""A PostgreSQL of the sandbox's own: made, started and asked, all on a loopback port.

PostgreSQL refuses to run as root, which is the usual user in a container, and as a user who is not in the list of
users. Linux lets both enter a user namespace in which they are an ordinary user: files keep their owner, nothing is
changed on the machine. Where that is not permitted,
the server runs as another user, who then owns its files.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from doctor.pipeline.sandbox.addresses import DATABASE_ROLE
from doctor.pipeline.sandbox.binaries import postgres_programs
from doctor.pipeline.sandbox.errors import BinaryMissingError, StartError

OTHER_USER = "nobody"
INITDB_DEADLINE_SECONDS = 60

#: Not safe for data that matters. A process that is killed loses nothing, because the operating system has what was
#: written; only a machine that goes down could leave such a cluster damaged, and then the sandbox is made anew.
SPEED_OVER_DURABILITY = ("fsync=off", "full_page_writes=off")

#: Small, alone on loopback, no socket file (its path would be too long in deep folders).
SERVER_SETTINGS = (
    *SPEED_OVER_DURABILITY,
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=64MB",
    "max_connections=100",
    "wal_level=minimal",
    "max_wal_senders=0",
)

CREATE_DATABASE = "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"
DATABASE_EXISTS = "SELECT 1 FROM pg_database WHERE datname = %(name)s"
DROP_DATABASE = "DROP DATABASE IF EXISTS {name} WITH (FORCE)"


@dataclass(frozen=True, slots=True)
class Runner:
    """How to run a program of PostgreSQL: what stands before it, and as which user (nothing: as we are)."""

    prefix: tuple[str, ...] = ()
    user: str | None = None


@lru_cache(maxsize=1)
def runner() -> Runner:
    """Find out how PostgreSQL can run here.

    Raises:
        BinaryMissingError: we are root or a user without a name, and can neither use a user namespace nor become
            another user.
    """
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return Runner()
    namespace = _namespace()
    if namespace is not None:
        return Runner(prefix=namespace)
    return other_user()


def _namespace() -> tuple[str, ...] | None:
    """Return what runs a program in a user namespace, as a user who has a name; nothing where that is not permitted."""
    ordinary = next((user for user in pwd.getpwall() if user.pw_uid != 0), None)
    if shutil.which("unshare") is None or ordinary is None:
        return None
    prefix = ("unshare", "--user", f"--map-user={ordinary.pw_uid}", f"--map-group={ordinary.pw_gid}", "--")
    probe = subprocess.run([*prefix, "true"], check=False, capture_output=True, timeout=10)
    return prefix if probe.returncode == 0 else None


def _has_name(user_id: int) -> bool:
    """Tell whether a user has an entry among the users of the machine; ``initdb`` refuses one who has none."""
    try:
        pwd.getpwuid(user_id)
    except KeyError:
        return False
    return True


def other_user() -> Runner:
    """Return the way without a namespace: as the user ``nobody``; only root can go it.

    Raises:
        BinaryMissingError: we are not root, or there is no such user.
    """
    if os.geteuid() != 0 or OTHER_USER not in {user.pw_name for user in pwd.getpwall()}:
        raise BinaryMissingError(
            "PostgreSQL refuses to run as root or as a user without a name, user namespaces are not permitted here, "
            f"and we cannot become {OTHER_USER!r}: run as an ordinary user, or set DATABASE_URL"
        )
    return Runner(user=OTHER_USER)


def make_cluster(data: Path, password: str, how: Runner | None = None) -> None:
    """Make the files of a server, unless they are there; interrupted work is begun anew.

    Raises:
        StartError: ``initdb`` failed; its words are in the message.
    """
    how = how or runner()
    if (data / "PG_VERSION").is_file() and (data / "sandbox.made").is_file():
        return
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=0o700)
    _own(data, how)
    with tempfile.NamedTemporaryFile("w", prefix=".password-", dir=data.parent) as file:
        file.write(password)
        file.flush()
        _own(Path(file.name), how)
        command = [
            *how.prefix,
            str(postgres_programs() / "initdb"),
            *("--pgdata", str(data), "--username", DATABASE_ROLE, "--pwfile", file.name, "--auth", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            # Nothing has to survive a crash of the machine.
            *("--no-sync", "--no-instructions"),
        ]
        hint = f" (as user {how.user!r}, who must be able to reach {command[0]} and {data.parent})" if how.user else ""
        try:
            made = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=INITDB_DEADLINE_SECONDS, user=how.user
            )
        except OSError as error:
            raise StartError(f"initdb cannot be run{hint}: {error}") from error
    if made.returncode != 0:
        raise StartError(f"initdb failed{hint}: {made.stderr.strip() or made.stdout.strip()}")
    # Written last: a cluster without it was interrupted while it was made.
    (data / "sandbox.made").touch()


def command(data: Path, port: int, how: Runner | None = None) -> list[str]:
    """Return the command that runs the server in the foreground."""
    settings = [part for setting in SERVER_SETTINGS for part in ("-c", setting)]
    program = str(postgres_programs() / "postgres")
    return [*(how or runner()).prefix, program, "-D", str(data), "-p", str(port), *settings]


def remove_stale_lock(data: Path) -> None:
    """Remove ``postmaster.pid`` when the process that it names is not this server: its pid has a new owner."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text(encoding="utf-8", errors="replace").split()[0])
    except (OSError, ValueError, IndexError):
        return
    with contextlib.suppress(psutil.Error):
        if str(data) in psutil.Process(pid).cmdline():
            return
    lock.unlink(missing_ok=True)


async def is_ready(url: str) -> bool:
    """Tell whether the server takes a connection and answers."""
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=2) as connection:
            await connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


async def create_database(server_url: str, name: str) -> None:
    """Create the sandbox's database, unless it exists.

    Raises:
        StartError: the server refuses, in its own words.
    """
    try:
        async with await psycopg.AsyncConnection.connect(server_url, connect_timeout=5, autocommit=True) as connection:
            if await (await connection.execute(DATABASE_EXISTS, {"name": name})).fetchone() is None:
                await connection.execute(sql.SQL(CREATE_DATABASE).format(name=sql.Identifier(name)))
    except psycopg.Error as error:
        raise StartError(
            f"the database {name!r} cannot be created: {str(error).strip()}; the role needs CREATEDB"
        ) from error


def drop_database(server_url: str, name: str) -> None:
    """Drop the sandbox's database on a server that is not its own, with all connections to it.

    Raises:
        StartError: the server cannot be reached or refuses.
    """
    try:
        with psycopg.connect(server_url, connect_timeout=5, autocommit=True) as connection:
            connection.execute(sql.SQL(DROP_DATABASE).format(name=sql.Identifier(name)))
    except psycopg.Error as error:
        raise StartError(f"the database {name!r} cannot be dropped: {str(error).strip()}; drop it by hand") from error


def _own(path: Path, how: Runner) -> None:
    """Give a file to the user that the server runs as."""
    if how.user is not None:
        found = pwd.getpwnam(how.user)
        os.chown(path, found.pw_uid, found.pw_gid)
