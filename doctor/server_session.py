"""Whether a connection has a session of the server to itself, which a pooler in transaction mode takes away.

Behind one, each transaction may run in another session, and what a session was set to or has locked stays with whoever
gets it next: with the application.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from doctor.fix import RefusedError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_SELF = "SELECT a.pid, a.backend_start::text FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()"


@dataclass(frozen=True, slots=True)
class Backend:
    """The server's process behind a connection; ``since`` tells it from a later one of the same number."""

    pid: int
    since: str


async def own_session(connection: AsyncConnection[Any], work: str) -> Backend:
    """Return the process that serves this connection alone; ``work`` names what needs it, such as ``a build``.

    Raises:
        RefusedError: a pooler is in between.
    """
    row = await (await connection.execute(_SELF)).fetchone()
    assert row is not None  # every role sees that much of itself
    backend = Backend(*row)
    if backend.pid != connection.info.backend_pid:
        raise RefusedError(
            f"a pooler stands before the database: {work} needs a session of its own, so run `doctor fix` "
            "with the address of the server itself"
        )
    return backend
