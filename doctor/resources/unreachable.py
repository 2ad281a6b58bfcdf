"""Why an outside system cannot be reached: one vocabulary for databases, queues, model servers and plain HTTP.

Errors:
    ResourceUnreachable: the base of every "cannot be reached"; carries the reason, what it means and what to do.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from enum import StrEnum

from doctor.redaction import bounded, redact

DETAIL_LIMIT = 300
"""Characters kept of what the system or the operating system said."""


class Reason(StrEnum):
    """Why a system cannot be reached. Each member explains itself and says what to do."""

    REFUSED = "refused"
    UNKNOWN_HOST = "unknown host"
    NO_ROUTE = "no route"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    TLS = "tls"
    AUTHENTICATION = "authentication"
    WRONG_PROTOCOL = "wrong protocol"
    NO_SUCH_DATABASE = "no such database"
    TOO_MANY_CONNECTIONS = "too many connections"
    STARTING = "starting"
    INVALID_ADDRESS = "invalid address"
    OTHER = "other"

    @property
    def explanation(self) -> str:
        """One clause that says what was seen."""
        return _EXPLANATIONS[self][0]

    @property
    def remedy(self) -> str:
        """One clause that says what to do."""
        return _EXPLANATIONS[self][1]


_EXPLANATIONS: dict[Reason, tuple[str, str]] = {
    Reason.REFUSED: (
        "nothing listens at this address",
        "start the service, or correct host and port (inside a container, localhost is the container itself)",
    ),
    Reason.UNKNOWN_HOST: (
        "the host name does not resolve from here",
        "run the doctor where the name exists (a compose service name: in its network), or use the published port",
    ),
    Reason.NO_ROUTE: ("there is no route to this host from here", "check the network, the VPN or the firewall"),
    Reason.TIMEOUT: (
        "nobody answered in time",
        "look whether the service is overloaded or hangs, or whether a firewall drops the packets",
    ),
    Reason.CLOSED: ("the connection was closed before it could be used", "read the service's own log for the reason"),
    Reason.TLS: ("the TLS handshake failed", "compare the scheme and the certificates of both sides"),
    Reason.AUTHENTICATION: (
        "the credentials were refused",
        "correct user, password or token in the target's environment",
    ),
    Reason.WRONG_PROTOCOL: (
        "something else answers at this address",
        "correct the port: another service listens there",
    ),
    Reason.NO_SUCH_DATABASE: (
        "the server has no database of this name",
        "create it, or correct the name in the address",
    ),
    Reason.TOO_MANY_CONNECTIONS: (
        "the server has no connection left",
        "find who holds them in pg_stat_activity, and lower the pool sizes",
    ),
    Reason.STARTING: ("the server is starting up or shutting down", "wait until it is ready, then run again"),
    Reason.INVALID_ADDRESS: ("the address cannot be used as it is written", "correct the variable that holds it"),
    Reason.OTHER: ("it could not be reached", "read the service's own log for the reason"),
}

_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}

_DATABASE_TEXTS: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (Reason.NO_SUCH_DATABASE, ('database "', "does not exist")),
    (Reason.AUTHENTICATION, ("authentication failed",)),
    (Reason.AUTHENTICATION, ("no password supplied",)),
    (Reason.AUTHENTICATION, ("no pg_hba.conf entry",)),
    (Reason.AUTHENTICATION, ("role", "does not exist")),
    (Reason.AUTHENTICATION, ("is not permitted to log in",)),
    (Reason.TOO_MANY_CONNECTIONS, ("too many clients",)),
    (Reason.TOO_MANY_CONNECTIONS, ("too many connections",)),
    (Reason.TOO_MANY_CONNECTIONS, ("connection slots are reserved",)),
    (Reason.STARTING, ("the database system is",)),
    (Reason.WRONG_PROTOCOL, ("received invalid response",)),
    (Reason.WRONG_PROTOCOL, ("expected authentication request",)),
    (Reason.TLS, ("server does not support ssl",)),
    (Reason.TLS, ("ssl error",)),
    (Reason.TLS, ("certificate",)),
    (Reason.TIMEOUT, ("timeout expired",)),
    (Reason.TIMEOUT, ("timed out",)),
    (Reason.UNKNOWN_HOST, ("failed to resolve host",)),
    (Reason.UNKNOWN_HOST, ("could not translate host name",)),
    (Reason.REFUSED, ("connection refused",)),
    (Reason.REFUSED, ("no such file or directory", "unix")),
    (Reason.REFUSED, ("no such file or directory", "socket")),
    (Reason.NO_ROUTE, ("unreachable",)),
    (Reason.NO_ROUTE, ("no route to host",)),
    (Reason.CLOSED, ("server closed the connection",)),
    (Reason.CLOSED, ("connection reset",)),
)
"""Words that libpq and the server use while a connection is made, when no SQLSTATE reaches the client (psycopg 3.3)."""

_DATABASE_STATES = {
    "28P01": Reason.AUTHENTICATION,
    "28000": Reason.AUTHENTICATION,
    "3D000": Reason.NO_SUCH_DATABASE,
    "53300": Reason.TOO_MANY_CONNECTIONS,
    "57P03": Reason.STARTING,
    "57P01": Reason.CLOSED,
    "57P02": Reason.CLOSED,
}
"""SQLSTATE → reason, from PostgreSQL's appendix A."""


_ERRNO = re.compile(r"\[Errno -?\d+\] ")
"""How Python begins the text of an OSError; the words after it say the same."""


class ResourceUnreachable(Exception):  # noqa: N818 - states a fact about a system, not a mistake of the caller
    """An outside system cannot be reached. ``resource`` is the parameter name by which checks ask for it."""

    resource = ""
    title = ""

    def __init__(self, reason: Reason, address: str, detail: str = "") -> None:
        self.reason = reason
        self.address = redact(address)
        self.detail = bounded(redact(_ERRNO.sub("", " ".join(detail.split()))), DETAIL_LIMIT)
        said = f" ({self.detail})" if self.detail else ""
        super().__init__(f"{self.title} at {self.address}: {reason.explanation}{said}; {reason.remedy}")


def reason_of(error: BaseException) -> Reason:
    """Return why a connection failed, looking through the causes and contexts of an exception."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if (reason := _reason_of_one(current)) is not None:
            return reason
        current = current.__cause__ or current.__context__
    return Reason.OTHER


def _reason_of_one(error: BaseException) -> Reason | None:
    if isinstance(error, BaseExceptionGroup):  # one address family after another was tried
        reasons = [reason_of(inner) for inner in error.exceptions]
        return next((reason for reason in reasons if reason is not Reason.OTHER), None)
    if isinstance(error, socket.gaierror):
        return Reason.UNKNOWN_HOST
    if isinstance(error, ssl.SSLError):
        return Reason.TLS
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return Reason.TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Reason.REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError | asyncio.IncompleteReadError):
        return Reason.CLOSED
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return Reason.NO_ROUTE
    if isinstance(error, OSError) and error.errno == errno.ECONNREFUSED:
        return Reason.REFUSED
    if isinstance(error, OSError) and "Multiple exceptions" in str(error):  # asyncio tried several addresses (3.11)
        return reason_of_text(str(error), default=None)
    return None


def reason_of_text(text: str, default: Reason | None = Reason.OTHER, sqlstate: str | None = None) -> Reason | None:
    """Return the reason that PostgreSQL's or libpq's words give, or ``default`` when they are not known."""
    if sqlstate is not None and sqlstate in _DATABASE_STATES:
        return _DATABASE_STATES[sqlstate]
    lowered = text.lower()
    for reason, words in _DATABASE_TEXTS:
        if all(word in lowered for word in words):
            return reason
    return Reason.REFUSED if "connect call failed" in lowered else default
