"""PostgreSQL addresses as applications write them, turned into what libpq understands.

SQLAlchemy, asyncpg, Django, Prisma and JDBC forms are read; options that libpq does not know are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl, unquote

from doctor.late import conninfo, pq, psycopg
from doctor.model import Secret
from doctor.resources.address import in_url, is_loopback

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+_.-]*)://(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?"
    r"(?P<hosts>[^/?#@]*)(?:/(?P<database>[^?#]*))?(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.DOTALL,
)
_SCHEMES = frozenset({"postgresql", "postgres", "postgis", "pgsql", "psql", "timescale"})
_SSL = {  # asyncpg's ``ssl`` and JDBC's words → libpq's sslmode
    "true": "require",
    "1": "require",
    "on": "require",
    "false": "disable",
    "0": "disable",
    "off": "disable",
}
_NEVER = frozenset(
    {"application_name", "fallback_application_name", "connect_timeout", "client_encoding", "replication"}
)
"""Options that the doctor sets itself or has no use for."""


DEFAULT_SOCKET_FOLDER = "/tmp"  # noqa: S108 - where libpq looks when no host is named anywhere


class InvalidDsnError(ValueError):
    """The address is not one of a PostgreSQL server; the message never repeats it."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """A PostgreSQL address: libpq's parameters, of which the password is never shown."""

    parameters: dict[str, str] = field(repr=False)

    @property
    def conninfo(self) -> Secret:
        """The connection string for libpq."""
        return Secret(conninfo.make_conninfo("", **self.parameters))

    @property
    def hosts(self) -> tuple[tuple[str, int], ...]:
        """Host (or folder of the socket) and port of every server named, in order."""
        named = self.parameters.get("host") or self.parameters.get("hostaddr") or DEFAULT_SOCKET_FOLDER
        names = named.split(",")
        ports = (self.parameters.get("port") or "5432").split(",")
        return tuple((name, int(ports[min(index, len(ports) - 1)] or 5432)) for index, name in enumerate(names))

    @property
    def address(self) -> str:
        """``host:port/database as user``, without the password."""
        hosts = ",".join(f"{in_url(host)}:{port}" for host, port in self.hosts)
        user = self.parameters.get("user", "")
        return f"{hosts}/{self.parameters.get('dbname', user)}" + (f" as {user}" if user else "")

    @property
    def is_loopback(self) -> bool:
        """Whether every server named is this machine."""
        return all(is_loopback(host) for host, _ in self.hosts)


def parse_dsn(text: str) -> Dsn:
    """Read an address in any of the usual forms.

    Raises:
        InvalidDsnError: it is no PostgreSQL address, or malformed.
    """
    text = text.strip().strip("\"'").removeprefix("jdbc:")
    if not text:
        raise InvalidDsnError("the address is empty")
    if "://" not in text:
        try:
            parameters = {
                name: str(value) for name, value in conninfo.conninfo_to_dict(text).items() if value is not None
            }
        except psycopg.ProgrammingError:
            raise InvalidDsnError("neither a URL such as postgresql://… nor key=value pairs") from None
        return _checked({name: value for name, value in parameters.items() if name not in _NEVER})
    match = _URL.fullmatch(text)
    scheme = text.partition("://")[0]
    if match is None or scheme.partition("+")[0].lower() not in _SCHEMES:
        raise InvalidDsnError(
            f"the scheme {scheme[:20]!r} is not PostgreSQL's" if match is None or scheme else "no scheme"
        )
    return _checked(_from_url(match))


def normalise_dsn(text: str) -> Secret:
    """Return the libpq connection string for an address in any of the usual forms.

    Raises:
        InvalidDsnError: it is no PostgreSQL address, or malformed.
    """
    return parse_dsn(text).conninfo


def _from_url(match: re.Match[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    hosts, ports = _hosts(match["hosts"] or "")
    found = {
        "host": hosts,
        "port": ports,
        "user": unquote(match["user"] or ""),
        "password": unquote(match["password"] or ""),
        "dbname": unquote(match["database"] or ""),
    }
    parameters.update({name: value for name, value in found.items() if value})
    for name, value in parse_qsl(match["query"] or "", keep_blank_values=False):
        if name in ("ssl", "sslmode"):
            parameters["sslmode"] = _SSL.get(value.lower(), value.lower())
        elif name == "database":
            parameters["dbname"] = value
        elif name in _known() - _NEVER:
            parameters[name] = value
    return parameters


def _hosts(text: str) -> tuple[str, str]:
    """Split ``h1:1,[::1]:2`` into ``h1,::1`` and ``1,2``."""
    names, ports = [], []
    for part in text.split(","):
        name, colon, port = part.rpartition(":") if not part.endswith("]") else (part, "", "")
        names.append(unquote(name if colon else part).strip("[]"))
        ports.append(port if colon else "")
    return ",".join(names), ",".join(ports).strip(",") if len(ports) == 1 else ",".join(
        port or "5432" for port in ports
    )


@cache
def _known() -> frozenset[str]:
    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def _from_process() -> dict[str, str]:
    """What libpq takes from PGHOST, PGPORT, PGUSER … and the operating system where the address is silent."""
    defaults = {option.keyword.decode(): option.val for option in pq.Conninfo.get_defaults()}
    return {name: value.decode() for name in ("host", "port", "user") if (value := defaults.get(name))}


def _checked(parameters: dict[str, str]) -> Dsn:
    parameters = {**_from_process(), **parameters}
    ports = [port for port in parameters.get("port", "").split(",") if port]
    if any(not port.isdigit() or not 0 < int(port) < 65536 for port in ports):
        raise InvalidDsnError("the port is not a number from 1 to 65535")
    modes = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
    if parameters.get("sslmode", "prefer") not in modes:
        raise InvalidDsnError(f"sslmode must be one of {', '.join(modes)}")
    return Dsn(parameters)
