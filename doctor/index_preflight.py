"""What must hold before an index is built concurrently, and who would block it. Reads only.

``CREATE INDEX CONCURRENTLY`` waits for every transaction that was open when it began: one that is forgotten lets it
fail at the very end, after hours on a large table. Sessions are named, and never ended.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from doctor.late import psutil
from doctor.resources.catalog import identifier
from doctor.resources.database import Database

OLD = 60.0
"""Seconds from which an open transaction is not waited for."""

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - where Linux keeps the memory that parallel workers share
"""Parallel workers take ``maintenance_work_mem`` from here."""

CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says how much memory a container may use, in its newer and in its older form."""

PARALLEL_BUILDS_ARE_SOUND = (0, 8, 2)
"""The first pgvector whose parallel builds do not write beyond their memory (CVE-2026-3172)."""

_GROUND = """
SELECT
    current_user AS role,
    pg_get_userbyid(c.relowner) AS owner,
    pg_has_role(c.relowner, 'USAGE') AS owns,
    has_schema_privilege(c.relnamespace, 'CREATE') AS may_create,
    pg_is_in_recovery() AS standby,
    current_setting('default_transaction_read_only')::boolean AS read_only,
    pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
    pg_size_bytes(current_setting('maintenance_work_mem')) AS memory,
    pg_size_bytes(current_setting('shared_buffers')) AS shared_buffers,
    (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_directory,
    (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS version,
    (
        SELECT min(b.pid)
        FROM pg_stat_progress_create_index b
        JOIN pg_locks l ON l.pid = b.pid AND l.relation = c.oid AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
    ) AS builder
FROM pg_class c
WHERE c.oid = to_regclass(%(table)s)
"""

_BLOCKERS = """
SELECT 'pid ' || a.pid AS who, coalesce(a.state, 'unknown') AS state, coalesce(a.application_name, '') AS application,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float AS seconds
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
  AND a.xact_start <= clock_timestamp() - make_interval(secs => %(seconds)s)
  AND (
      a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL
      -- Who has only read the table is waited for by whatever drops an index of it.
      OR EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.relation = to_regclass(%(table)s))
  )
  AND a.pid NOT IN (SELECT pid FROM pg_stat_progress_create_index UNION SELECT pid FROM pg_stat_progress_vacuum)
UNION ALL
SELECT 'prepared transaction ' || quote_literal(p.gid), 'prepared', '',
    extract(epoch FROM clock_timestamp() - p.prepared)::float
FROM pg_prepared_xacts p
WHERE p.database = current_database() AND p.prepared <= clock_timestamp() - make_interval(secs => %(seconds)s)
ORDER BY seconds DESC
"""


@dataclass(frozen=True, slots=True)
class Blocker:
    """An open transaction. ``who`` is a process or a prepared transaction, ``seconds`` how long it has been open."""

    who: str
    state: str
    application: str
    seconds: float

    def __str__(self) -> str:
        by = f", {self.application}" if self.application else ""
        return f"{self.who} ({self.state} for {self.seconds:.0f} s{by})"


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of the server before a build. Sizes are in bytes; None is what cannot be known from here.

    ``sees_all``: the role may see the transactions of others. ``free_disk``, ``machine_memory`` and ``shared_memory``
    are known where the server's files are on this machine. ``builder`` is the process that builds an index on the table
    right now.
    """

    role: str
    owner: str
    owns: bool
    may_create: bool
    standby: bool
    read_only: bool
    sees_all: bool
    memory: int
    shared_buffers: int
    version: str
    builder: int | None
    blockers: tuple[Blocker, ...]
    free_disk: int | None
    machine_memory: int | None
    shared_memory: int | None

    def objection(self, table: str, disk: int) -> str | None:
        """Return why no index of ``disk`` bytes can be built on ``table``, with the remedy; None where it can."""
        if self.standby:
            return "the server is a standby, which only reads: build the index on its primary"
        if self.read_only:
            return f"sessions of {self.role} only read (default_transaction_read_only): run as a role that may write"
        if not self.owns:
            return f"the role {self.role} does not own {table}: run as {self.owner}, who does"
        if not self.may_create:
            return f"the role {self.role} may create nothing in the schema of {table}: GRANT CREATE ON SCHEMA to it"
        if self.builder is not None:
            return f"pid {self.builder} builds an index on {table} right now: wait until it is done"
        if self.blockers:
            return f"a build would wait for {named(self.blockers)}: end what is forgotten there, then try again"
        if self.free_disk is not None and self.free_disk < 2 * disk:
            return (
                f"the disk of the server has {self.free_disk >> 20:,} MB left, and {2 * disk >> 20:,} are needed to be "
                "sure (twice the index)"
            )
        return None

    def allowed_memory(self, configured: int | None) -> int:
        """Return how much memory a build may take: what is configured, else a quarter of the machine's.

        Where the machine is not known, what the server is configured to use for one purpose already.
        """
        if configured is not None:
            return configured
        return max(self.memory, self.shared_buffers) if self.machine_memory is None else self.machine_memory // 4

    def may_be_parallel(self, memory: int) -> bool:
        """Whether workers may share ``memory`` for a build."""
        sound = tuple(int(part) for part in self.version.split(".") if part.isdigit()) >= PARALLEL_BUILDS_ARE_SOUND
        return sound and (self.shared_memory is None or self.shared_memory >= memory)


def named(blockers: tuple[Blocker, ...]) -> str:
    """Return the first few, for people."""
    more = f" and {len(blockers) - 3} more" if len(blockers) > 3 else ""
    return ", ".join(map(str, blockers[:3])) + more


async def ground(database: Database, table: str) -> Ground | None:
    """Look at the server for an index on ``table`` (``schema.table``); None where there is no such table.

    Raises:
        DatabaseError: a question could not be answered.
    """
    row = await database.fetch_one(_GROUND, {"table": _quoted(table)})
    if row is None:
        return None
    folder = row.pop("data_directory")
    free = _free(folder) if folder is not None and database.is_loopback else None
    here = free is not None
    return Ground(
        **row,
        blockers=await blockers(database, table, OLD),
        free_disk=free,
        machine_memory=machine_memory() if here else None,
        shared_memory=_free(SHARED_MEMORY) if here else None,
    )


async def blockers(database: Database, table: str, seconds: float) -> tuple[Blocker, ...]:
    """Return the transactions that are open for so many seconds and that a build on ``table`` waits for.

    Of other roles' only where the own one may see them (``pg_read_all_stats``).

    Raises:
        DatabaseError: the question could not be answered.
    """
    rows = await database.fetch(_BLOCKERS, {"table": _quoted(table), "seconds": seconds})
    return tuple(Blocker(**row) for row in rows)


def machine_memory(limits: tuple[Path, ...] = CONTAINER_LIMITS) -> int:
    """Return the bytes of memory that there are, or that the container may use where that is less."""
    found = [psutil.virtual_memory().total]
    for limit in limits:
        with suppress(OSError, ValueError):  # no such file, or the word `max`
            found.append(int(limit.read_text(encoding="ascii")))
    return min(found)


def _free(folder: str) -> int | None:
    try:
        state = os.statvfs(folder)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize


def _quoted(table: str) -> str:
    return identifier(table).as_string(None)
