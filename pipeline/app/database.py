"""The pool of database connections that a process shares; every wait has a deadline."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pgvector.psycopg import register_vector_async
from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from .settings import get_settings

Connection = AsyncConnection[DictRow]

# Set by a statement and not as start-up options, which connection poolers may refuse. A process that is frozen within a
# transaction loses its locks before those who wait for them give up.
SET_DEADLINES = (
    "SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '5s'"
)

_pool: AsyncConnectionPool[Connection] | None = None


class DatabaseNotOpenError(OperationalError):
    """The process has not opened its pool; call :func:`open_pool` at its start."""


async def _configure(connection: Connection) -> None:
    """Prepare a new connection: vectors as Python values, no statement without an end."""
    await register_vector_async(connection)
    await connection.execute(SET_DEADLINES)


async def open_pool() -> None:
    """Open the pool without waiting for the server, so that a process starts while the database is still down."""
    global _pool
    if _pool is not None:
        return
    settings = get_settings()
    pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
        settings.database_url.get_secret_value(),
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "connect_timeout": 3,
            "application_name": "knowledge-pipeline",
        },
        min_size=2,
        max_size=settings.database_pool_size,
        timeout=settings.database_timeout_seconds,
        # The pauses between attempts double; a fresh start with the next request finds the server sooner.
        reconnect_timeout=5,
        configure=_configure,
        # One empty round trip per use: a connection that died with a restarted server is replaced, not handed out.
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    await pool.open(wait=False)
    _pool = pool


async def close_pool() -> None:
    """Close the pool; safe to call twice."""
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        await pool.close()


@asynccontextmanager
async def connection(timeout: float | None = None) -> AsyncIterator[Connection]:
    """Lend a connection in autocommit mode; use ``transaction()`` on it for several statements.

    Args:
        timeout: seconds to wait for a connection; by default ``DATABASE_TIMEOUT_SECONDS``.

    Raises:
        psycopg.OperationalError: no connection in time (its subclass ``PoolTimeout``), or the pool is not open.
    """
    if _pool is None:
        raise DatabaseNotOpenError("the database pool is not open: call open_pool() when the process starts")
    async with _pool.connection(timeout=timeout) as lent:
        yield lent
