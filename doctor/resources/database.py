"""The target's PostgreSQL: questions in read-only transactions with a time limit, over at most four connections.

Errors:
    DatabaseError
    ├── DatabaseUnreachable (also ResourceUnreachable)   no connection, or it broke
    ├── PermissionDenied                                 SQLSTATE 42501
    ├── QueryTimedOut                                    statement or lock time-out
    └── QueryFailed                                      anything else that the server refuses; carries the SQLSTATE
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from psycopg.abc import QueryNoTemplate as Query
    from psycopg.rows import DictRow, TupleRow

from doctor.late import psycopg, rows, sql
from doctor.model import Endpoint, Secret
from doctor.redaction import bounded, redact
from doctor.resources.address import resolve
from doctor.resources.dsn import Dsn, InvalidDsnError, parse_dsn
from doctor.resources.statement_template import template
from doctor.resources.unreachable import Reason, ResourceUnreachable, reason_of, reason_of_text

MAX_CONNECTIONS = 4
APPLICATION_NAME = "doctor"
LOCK_TIMEOUT = 0.5
"""Seconds that a question waits for a lock before it gives up, so that it never stands in an application's way."""

GRACE = 0.5
"""Seconds beyond the server's own time limit after which the network is held to be dead."""

T = TypeVar("T")

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]


class DatabaseError(Exception):
    """PostgreSQL did not answer the question."""


class DatabaseUnreachable(DatabaseError, ResourceUnreachable):  # noqa: N818 - as its base
    """No connection to PostgreSQL; ``reason`` says why."""

    resource = "database"
    title = "PostgreSQL"


class QueryFailed(DatabaseError):  # noqa: N818
    """The server refused a statement. ``sqlstate`` is its five-letter code, see PostgreSQL's appendix A."""

    def __init__(self, message: str, sqlstate: str = "") -> None:
        self.sqlstate = sqlstate
        super().__init__(f"{bounded(redact(message), 300)} (SQLSTATE {sqlstate})" if sqlstate else message)


class QueryTimedOut(QueryFailed):
    """A statement took longer than it may, or waited too long for a lock."""


class PermissionDenied(QueryFailed):
    """The role may not read what was asked for; GRANT SELECT to it, or name another role in the address."""


class Database:
    """One PostgreSQL database, seen read-only. ``timeout`` is in seconds, for connecting and for each statement."""

    def __init__(self, dsn: Secret, *, origin: str, timeout: float = 2.0) -> None:
        self._origin = origin
        self._timeout = timeout
        self._dsn: Dsn | None = None
        self._invalid = ""
        try:
            self._dsn = parse_dsn(dsn.reveal())
        except InvalidDsnError as error:
            self._invalid = str(error)
        self._idle: list[psycopg.AsyncConnection[DictRow]] = []
        self._writing: list[psycopg.AsyncConnection[TupleRow]] = []
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._server_version: str | None = None
        self._vector_path = ""

    @property
    def endpoint(self) -> Endpoint:
        """Where the database is and where the address came from: ``host:port/database as user``."""
        return Endpoint("postgresql", redact(self._dsn.address) if self._dsn else "(invalid address)", self._origin)

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine."""
        return self._dsn is not None and self._dsn.is_loopback

    @property
    def server_version(self) -> str | None:
        """Such as ``18.4``; None before the first connection."""
        return self._server_version

    @property
    def vector_path(self) -> str:
        """The search path by which a writer sees pgvector's types; empty where the role sees them anyway.

        Known once a writer has connected, and not set for it: behind a pooler, what a session is set to stays with the
        application.
        """
        return self._vector_path

    async def open(self) -> None:
        """Make the first connection, so that whoever asks later finds it ready.

        Raises:
            DatabaseUnreachable: with the reason.
        """
        if not self._idle:
            self._idle.append(await self._connect(rows.dict_row))

    async def close(self) -> None:
        """Close all connections."""
        for connections in (self._idle, self._writing):
            while connections:
                await connections.pop().close()

    async def fetch(
        self,
        query: Query,
        parameters: Parameters = (),
        *,
        timeout: float | None = None,
        switched_off: Collection[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Ask one question in a read-only transaction of its own and return the rows as dictionaries.

        Without parameters, a percent sign in the query stands for itself, and of several statements the rows of the
        last that has any are returned. ``timeout`` replaces the statement's limit.
        ``settings`` of the server hold for this question only; those that are ``switched_off``, such as
        ``enable_seqscan``, are off for it.

        Raises:
            DatabaseUnreachable, QueryTimedOut, PermissionDenied, QueryFailed: see the module.
        """
        limit = self._timeout if timeout is None else timeout
        values = {**(settings or {}), **dict.fromkeys(switched_off, "off")}
        async with self._slots:
            connection, fresh = await self._acquire()
            try:
                return await self._ask(connection, query, parameters, limit, values)
            except DatabaseUnreachable as error:
                # An idle connection that the server closed in the meantime (a restart) says nothing about the server.
                if fresh or error.reason is Reason.TIMEOUT:
                    raise
            connection = await self._connect(rows.dict_row)
            return await self._ask(connection, query, parameters, limit, values)

    async def fetch_one(
        self, query: Query, parameters: Parameters = (), *, timeout: float | None = None
    ) -> dict[str, Any] | None:
        """Return the first row, or None. Raises as :meth:`fetch`."""
        rows = await self.fetch(query, parameters, timeout=timeout)
        return rows[0] if rows else None

    async def scalar(self, query: Query, parameters: Parameters = (), *, timeout: float | None = None) -> Any:
        """Return the first column of the first row, or None. Raises as :meth:`fetch`."""
        row = await self.fetch_one(query, parameters, timeout=timeout)
        return None if row is None else next(iter(row.values()), None)

    @asynccontextmanager
    async def connect_for_writing(self, *, reused: bool = False) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
        """Yield a connection of its own in autocommit mode, which may write; only the engine's writers use it.

        Where the extension ``vector`` exists, its types are registered (see :attr:`vector_path`). Statements have no
        time limit here. One that is ``reused`` serves the next caller who asks so; nobody may leave a setting of the
        session behind on it.

        Raises:
            DatabaseUnreachable: with the reason; also when the connection breaks while it is used.
        """
        known = self._writing.pop() if reused and self._writing else None
        connection = known if known is not None and not known.closed else await self._connect(rows.tuple_row)
        keep = False
        try:
            if connection is not known:
                self._vector_path = await _register_vector(connection)
            yield connection
            keep = reused
        except (psycopg.OperationalError, TimeoutError) as error:
            if not connection.closed and not isinstance(error, TimeoutError):
                raise
            raise self._unreachable(error) from None
        finally:
            if keep:
                self._writing.append(connection)
            else:
                await connection.close()

    async def _acquire(self) -> tuple[psycopg.AsyncConnection[DictRow], bool]:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection, False
        return await self._connect(rows.dict_row), True

    async def _connect(self, row_factory: Any) -> psycopg.AsyncConnection[Any]:
        if self._dsn is None:
            raise DatabaseUnreachable(Reason.INVALID_ADDRESS, self.endpoint.address, self._invalid)
        try:
            async with asyncio.timeout(self._timeout):
                for host, port in self._dsn.hosts[:1] if len(self._dsn.hosts) == 1 else ():
                    if not host.startswith("/"):
                        await resolve(host, port, self._timeout)
                connection = await psycopg.AsyncConnection.connect(
                    self._dsn.conninfo.reveal(),
                    autocommit=True,
                    prepare_threshold=None,  # poolers in transaction mode lose prepared statements
                    row_factory=row_factory,
                    application_name=APPLICATION_NAME,
                )
        except (psycopg.Error, OSError, TimeoutError) as error:
            raise self._unreachable(error) from None  # the original may quote the password
        self._server_version = connection.info.parameter_status("server_version")
        return connection

    async def _ask(
        self,
        connection: psycopg.AsyncConnection[DictRow],
        query: Query,
        parameters: Parameters,
        limit: float,
        settings: Mapping[str, str],
    ) -> list[dict[str, Any]]:
        """Run one question and give the connection back, or close it when its state is unknown."""
        keep = False
        try:
            question = _in_transaction(connection, query, parameters, _limits(limit, settings))
            rows = await within(connection, question, limit + GRACE)
            keep = True
        except TimeoutError as error:
            raise self._unreachable(error) from None
        except psycopg.Error as error:
            if connection.closed or connection.broken:
                raise self._unreachable(error) from None
            keep = await _rolled_back(connection)
            raise _refused(error) from error
        else:
            return rows
        finally:
            if keep:
                self._idle.append(connection)
            else:
                await connection.close()

    def _unreachable(self, error: BaseException) -> DatabaseUnreachable:
        text = str(error)
        if isinstance(error, psycopg.Error):
            reason = reason_of_text(text, sqlstate=error.sqlstate) or Reason.OTHER
        else:
            reason = reason_of(error)
        detail = text.rpartition("failed: ")[2].partition("\n")[0]
        return DatabaseUnreachable(reason, self.endpoint.address, detail)


async def within(connection: psycopg.AsyncConnection[Any], question: Coroutine[Any, Any, T], limit: float) -> T:
    """Await what is asked over the connection for ``limit`` seconds.

    Cancelling it would let psycopg ask the server to cancel, which takes up to ten seconds when the network is dead. To
    hang up instead ends it at once; the server's own time limit ends the statement.

    Raises:
        TimeoutError: the connection is unusable then.
    """
    task = asyncio.ensure_future(question)
    try:
        done, _ = await asyncio.wait({task}, timeout=limit)
    except asyncio.CancelledError:
        if not task.done():
            _hang_up(connection)
        await asyncio.wait({task})
        task.exception()  # the connection broke, as was intended
        raise
    if not done:
        _hang_up(connection)
        await asyncio.wait({task})
        task.exception()
        raise TimeoutError
    return task.result()


def _hang_up(connection: psycopg.AsyncConnection[Any]) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)


_VECTOR_IN_SIGHT = """
SELECT set_config(
    'search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), quote_ident(n.nspname)), true
)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'vector' AND to_regtype('vector') IS NULL
"""
"""Adds the schema of pgvector to the path of a question, where the role does not have it there: it may lie anywhere."""


def _limits(limit: float, settings: Mapping[str, str]) -> sql.Composed:
    """Return what a question begins with. SET LOCAL, no start-up options: poolers refuse those."""
    values = {
        "statement_timeout": f"{max(1, round(limit * 1000))}ms",
        "lock_timeout": f"{max(1, round(min(limit, LOCK_TIMEOUT) * 1000))}ms",
        **settings,
    }
    limits = (
        sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(*n.split(".")), sql.Literal(v)) for n, v in values.items()
    )
    return sql.SQL("; ").join([sql.SQL("BEGIN READ ONLY"), sql.SQL(_VECTOR_IN_SIGHT), *limits])


async def _in_transaction(
    connection: psycopg.AsyncConnection[DictRow], query: Query, parameters: Parameters, beginning: sql.Composed
) -> list[dict[str, Any]]:
    async with connection.cursor() as cursor:
        await cursor.execute(beginning)  # one round trip for all of it
        await cursor.execute(template(query) if parameters else query, parameters or None)
        rows = await cursor.fetchall() if cursor.description is not None else []
        while cursor.nextset():
            rows = await cursor.fetchall() if cursor.description is not None else rows
        await cursor.execute("ROLLBACK")
    return rows


async def _rolled_back(connection: psycopg.AsyncConnection[DictRow]) -> bool:
    with suppress(psycopg.Error):
        await connection.execute("ROLLBACK")
        return True
    return False


def _refused(error: psycopg.Error) -> QueryFailed:
    state = error.sqlstate or ""
    message = error.diag.message_primary or str(error)
    if state in ("57014", "55P03"):  # query_canceled, lock_not_available
        return QueryTimedOut(message, state)
    if state == "42501":  # insufficient_privilege
        return PermissionDenied(message, state)
    return QueryFailed(message, state)


_FIND_VECTOR = """
SELECT CASE WHEN to_regtype('vector') IS NULL
    THEN concat_ws(', ', nullif(current_setting('search_path'), ''), quote_ident(n.nspname)) ELSE '' END
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'vector'
"""
_SET_PATH = "SELECT set_config('search_path', %s, true)"


async def _register_vector(connection: psycopg.AsyncConnection[TupleRow]) -> str:
    """Register pgvector's types when there are any; return the path by which they are seen, empty where it is so."""
    from pgvector.psycopg import register_vector_async  # only writers need it

    found = await (await connection.execute(_FIND_VECTOR)).fetchone()
    if found is None:
        return ""
    (path,) = found
    async with connection.transaction():
        if path:
            await connection.execute(_SET_PATH, (path,))
        await register_vector_async(connection)
    return str(path)
