"""Libraries that are imported when they are first used: most runs need few of them, and each costs 50 to 250 ms.

``from doctor.late import sql`` stands for ``from psycopg import sql``. What is made of them belongs into functions: a
statement built at module level would import the library when the checks are listed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx
    import jwt
    import jwt.api_jws
    import nats
    import nats.errors
    import nats.js.errors
    import psutil
    import psycopg
    from nats.aio import client as nats_client
    from psycopg import conninfo, pq, rows, sql
    from rich import console as rich_console
    from rich import text as rich_text
else:

    class _Late:
        """A module that is not imported yet."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            value = getattr(importlib.import_module(self._name), attribute)
            setattr(self, attribute, value)
            return value

    httpx = _Late("httpx")
    jwt = _Late("jwt")
    nats = _Late("nats")
    nats_client = _Late("nats.aio.client")
    psutil = _Late("psutil")
    psycopg = _Late("psycopg")
    conninfo = _Late("psycopg.conninfo")
    pq = _Late("psycopg.pq")
    rich_console = _Late("rich.console")
    rich_text = _Late("rich.text")
    rows = _Late("psycopg.rows")
    sql = _Late("psycopg.sql")

__all__ = [
    "conninfo",
    "httpx",
    "jwt",
    "load",
    "nats",
    "nats_client",
    "pq",
    "psutil",
    "psycopg",
    "rich_console",
    "rich_text",
    "rows",
    "sql",
    "without_extras",
]

_LIBRARIES = {
    "database": ("psycopg", "psycopg.sql", "psycopg.conninfo"),
    "nats": ("nats", "nats.js.errors"),
    "models": ("httpx",),
    "auth": ("httpx",),
    "application": ("httpx",),
}


_UNUSED = ("aiohttp", "httpx._main")
"""aiohttp is for ``ws://`` alone and takes 130 ms; httpx's own command line brings rich and Pygments, 60 ms."""


@contextmanager
def without_extras() -> Iterator[None]:
    """Let the clients of NATS and HTTP be imported without the parts of them that are never used here.

    What is loaded already stays.
    """
    absent = [name for name in _UNUSED if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say that it is not there
    try:
        yield
    finally:
        for name in absent:
            if sys.modules.get(name, ...) is None:
                del sys.modules[name]


def load(resources: Iterable[str]) -> None:
    """Import what these resources use, now: inside a measured round trip it would be measured too."""
    for resource in resources:
        for name in _LIBRARIES.get(resource, ()):
            importlib.import_module(name)
