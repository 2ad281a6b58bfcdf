"""Builds one index concurrently, and leaves a valid index or none.

``CREATE INDEX CONCURRENTLY`` is no transaction: whatever ends it half-way leaves an invalid index behind, which nothing
uses and which ``IF NOT EXISTS`` takes for the real one. It is dropped over a new connection, since the old one may be
what failed. Where nobody lets it be dropped, the error says so, and the journal's entry lets undo try again.

Errors:
    IndexLeftBehindError: an invalid index could not be dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from doctor.fix import FixError, IndexBuild, RefusedError
from doctor.index_preflight import blockers, named
from doctor.index_progress import told
from doctor.index_proof import proved
from doctor.late import psycopg, sql
from doctor.resources.catalog import identifier, quoted, readable
from doctor.resources.database import Database, DatabaseError
from doctor.retrying import retried
from doctor.server_session import Backend, own_session

if TYPE_CHECKING:
    from psycopg import AsyncConnection

LOCK_TIMEOUT = "30s"
"""How long a build waits for each open transaction; nobody waits for the build."""

DROP_LOCK_TIMEOUT = "5s"
"""How long each attempt to drop an index waits."""

ATTEMPTS = 3
"""How often a build is tried that had to wait too long, when nobody is in its way any more."""

RECENT = 5.0
"""Seconds for which a transaction must have been open to be named as what a build waited for."""

CLIENT_CHECK = "5s"
"""How soon the server notices that we are gone, and gives a build up."""

END_POLL = 0.05
END_CHECKS = 200
"""How often it is asked whether a build has ended that was told to: for ten seconds."""

_APPLY = """
    SELECT set_config(s.name, wanted.value, false)
    FROM unnest(%(names)s::text[], %(values)s::text[]) AS wanted (name, value) JOIN pg_settings s USING (name)
"""
"""Settings that the server does not know are passed over."""

_IS_ALONE = "SELECT pg_try_advisory_lock(hashtextextended(%(lock)s, 0))"

_STATE = """
    SELECT i.indisvalid AND i.indisready AND i.indislive, EXISTS (
        SELECT FROM pg_stat_progress_create_index b
        JOIN pg_locks l ON l.pid = b.pid AND l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock'
    )
    FROM pg_index i WHERE i.indexrelid = to_regclass(%(name)s)
"""
_END = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = %(pid)s AND backend_start = %(since)s::timestamptz AND state = 'active'
"""
_RUNS = (
    "SELECT FROM pg_stat_activity WHERE pid = %(pid)s AND backend_start = %(since)s::timestamptz AND state = 'active'"
)

Note = Callable[[dict[str, Any]], None]
"""Writes an entry into the journal."""


class IndexLeftBehindError(FixError):
    """An invalid index stands, and could not be dropped; the message says why and what drops it."""


async def build(database: Database, order: IndexBuild, note: Note, progress: Callable[[str], None]) -> str:
    """Build an index and return what is known of it: notices of the server, what the planner makes of it.

    Raises:
        RefusedError: something else has this name, somebody else builds, or an open transaction is in the way.
        IndexLeftBehindError: it failed, and the remainder could not be dropped.
        psycopg.Error: it failed; nothing is left of it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _attempt(database, order, note, progress)
        except psycopg.errors.LockNotAvailable as error:
            in_the_way = await blockers(database, order.table, RECENT)
            if in_the_way or attempt == ATTEMPTS:
                whom = f": {named(in_the_way)}" if in_the_way else ""
                raise RefusedError(f"{order.name}: another transaction did not end in time{whom}; try again") from error
            progress(f"building {order.name}: it had to wait too long, and nobody is in the way any more; again")
        except psycopg.Error as error:
            if order.workers == 0 or attempt == ATTEMPTS or "shared memory" not in str(error):
                raise
            order = replace(order, workers=0)
            progress(f"building {order.name}: there is too little shared memory for several workers; again with one")
    raise AssertionError("the last attempt returns or raises")


async def clear_up(database: Database, name: str, backend: Backend | None = None) -> bool:
    """Drop what is left of a build, and end the ``backend`` if it still builds; return whether a valid index stands.

    Raises:
        IndexLeftBehindError: it cannot be dropped.
    """
    try:
        return await retried(lambda: _clear(database, name, backend), (DatabaseError, psycopg.Error))
    except (DatabaseError, psycopg.Error) as error:
        raise IndexLeftBehindError(
            f"the invalid index {name} is left behind, because it could not be dropped: {str(error).strip()}; "
            f"`doctor undo` tries again, or: DROP INDEX CONCURRENTLY {readable(name)}"
        ) from error


async def remove(database: Database, name: str, backend: Backend | None = None) -> bool:
    """Drop an index, whatever its state, and end the ``backend`` if it still builds; return whether there was one.

    Raises:
        RefusedError: a pooler is in between.
        psycopg.Error: the server refuses, or a transaction that uses the table does not end.
    """
    async with database.connect_for_writing() as connection:
        await own_session(connection, "to drop an index")
        if backend is not None:
            await _end(connection, backend)
        if await _state(connection, name) is None:
            return False
        await _drop(connection, name)
        return True


async def restore(database: Database, order: IndexBuild) -> bool:
    """Build an index again that was dropped; return False where it stands.

    Raises:
        RefusedError, IndexLeftBehindError, psycopg.Error: as :func:`build`.
    """
    async with database.connect_for_writing() as connection:
        state = await _state(connection, order.name)
    if state is not None and state[0]:
        return False
    order = replace(order, replaces=None if state is None else order.name)
    await build(database, order, lambda _entry: None, lambda _words: None)
    return True


async def retire(database: Database, name: str) -> None:
    """Drop a valid index that another takes the place of.

    Raises:
        RefusedError: it cannot be dropped; the message says how a person drops it later.
    """
    try:
        await retried(lambda: remove(database, name), (DatabaseError, psycopg.Error))
    except (DatabaseError, psycopg.Error) as error:
        raise RefusedError(
            f"{name} could not be dropped: {str(error).strip()}; later: DROP INDEX CONCURRENTLY {readable(name)}"
        ) from error


async def require_invalid(connection: AsyncConnection[Any], name: str) -> None:
    """Refuse to go on where an index is valid, or where an index is being built on its table.

    Raises:
        RefusedError: it is.
    """
    state = await _state(connection, name)
    if state is not None and any(state):
        raise RefusedError(f"{name} is valid by now, or being built; run `doctor fix` again")


async def _attempt(database: Database, order: IndexBuild, note: Note, progress: Callable[[str], None]) -> str:
    notices: list[str] = []
    async with database.connect_for_writing() as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        backend = await _prepare(connection, order, database.vector_path)
        if order.replaces:
            await require_invalid(connection, order.replaces)
        if order.name != order.replaces and await _state(connection, order.name) is not None:
            raise RefusedError(f"{order.name} exists already, and is not what is wanted; rename or drop it first")
        note({"kind": "index", "name": order.name, "pid": backend.pid, "since": backend.since})
        if order.replaces:
            await _drop(connection, order.replaces)
        try:
            async with told(database, backend.pid, order.name, progress):
                await connection.execute(order.statement)
        except BaseException as error:
            progress(f"dropping what is left of {order.name}")
            stands = await _settled(clear_up(database, order.name, backend))
            if not stands or not isinstance(error, psycopg.OperationalError):
                raise
            notices.append("the connection was lost at the end of the build")  # the index is whole all the same
    try:
        return "; ".join([*notices, await proved(database, order.table, order.name)])
    except DatabaseError as error:  # no reason to lose what may have taken hours
        return "; ".join([*notices, f"whether the planner uses it could not be asked: {error}"])


async def _prepare(connection: AsyncConnection[Any], order: IndexBuild, path: str) -> Backend:
    """Set the session up for a long statement and make sure that it is ours alone; ``path`` as in ``vector_path``.

    Raises:
        RefusedError: a pooler is in between, which gives each statement to another session; or another doctor builds.
    """
    backend = await own_session(connection, "a build")
    settings = {
        "application_name": "doctor:index",
        "statement_timeout": "0",
        "transaction_timeout": "0",
        "idle_session_timeout": "0",
        "lock_timeout": LOCK_TIMEOUT,
        "maintenance_work_mem": f"{order.memory >> 10}kB",
    }
    if order.workers is not None:
        settings["max_parallel_maintenance_workers"] = str(order.workers)
    if order.tablespace is not None:
        settings["default_tablespace"] = order.tablespace
    if path:
        settings["search_path"] = path
    await connection.execute(_APPLY, {"names": list(settings), "values": list(settings.values())})
    with suppress(psycopg.Error):  # not every operating system can tell
        await connection.execute(f"SET client_connection_check_interval = '{CLIENT_CHECK}'")
    (alone,) = await _row(connection, _IS_ALONE, {"lock": f"doctor:index:{order.table}"})
    if not alone:
        raise RefusedError(f"another doctor builds an index on {order.table} right now; wait until it is done")
    return backend


async def _settled(clearing: Any) -> bool:
    """Wait for the clean-up, however often we are told to stop: what it leaves undone would stay."""
    task: asyncio.Task[bool] = asyncio.ensure_future(clearing)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    return task.result()


async def _clear(database: Database, name: str, backend: Backend | None) -> bool:
    async with database.connect_for_writing() as connection:
        if backend is not None:
            await _end(connection, backend)
        state = await _state(connection, name)
        if state is None or state[0]:
            return state is not None
        await _drop(connection, name)
        return False


async def _end(connection: AsyncConnection[Any], backend: Backend) -> None:
    """End a build that goes on although we have lost it."""
    names = {"pid": backend.pid, "since": backend.since}
    await connection.execute(_END, names)
    for _ in range(END_CHECKS):
        if await (await connection.execute(_RUNS, names)).fetchone() is None:
            return
        await asyncio.sleep(END_POLL)


async def _drop(connection: AsyncConnection[Any], name: str) -> None:
    await connection.execute(f"SET lock_timeout = '{DROP_LOCK_TIMEOUT}'")
    await connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(identifier(name)))
    await connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


async def _state(connection: AsyncConnection[Any], name: str) -> tuple[bool, bool] | None:
    """Return whether an index is valid, and whether one is being built on its table; None where there is none.

    Raises:
        RefusedError: something that is no index has the name.
    """
    relation = quoted(name)
    row = await (await connection.execute(_STATE, {"name": relation})).fetchone()
    if row is None and (await _row(connection, "SELECT to_regclass(%s) IS NOT NULL", [relation]))[0]:
        raise RefusedError(f"{name} is no index")
    return row


async def _row(connection: AsyncConnection[Any], query: str, parameters: Any = None) -> tuple[Any, ...]:
    row = await (await connection.execute(query, parameters)).fetchone()
    assert row is not None  # each of these questions has one answer
    return tuple(row)
