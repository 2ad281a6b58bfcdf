"""The monitoring pages of a NATS server: who listens to a subject, without sending anything.

Plain NATS keeps no list of its listeners that a client may ask for; ``/subsz?test=SUBJECT`` of the HTTP monitoring port
(``-m 8222``) has it. Nothing else of the pages is used: ``/healthz`` is green with JetStream off.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from doctor.late import httpx
from doctor.redaction import bounded, redact
from doctor.resources.address import in_url

VARIABLES = ("NATS_MONITORING_URL", "NATS_MONITOR_URL", "NATS_HTTP_URL")
"""Where a target may say where the pages are; else they are looked for on the server's host."""

PORT = 8222
TIMEOUT = 2.0
"""Seconds for the whole of a page, however slowly it comes."""

LIMIT = 2_000_000
"""Bytes of a page; ten thousand listeners take less."""


class MonitoringUnavailableError(Exception):
    """The page cannot be read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who listens to a subject: ``groups`` by the name of their queue group, ``alone`` those without one."""

    groups: tuple[str, ...]
    alone: int
    delivered: int = 0
    """Messages that the server has given to all of them since each began to listen."""

    @property
    def copies(self) -> int:
        """How often one message is delivered: once to each group, and once to each that is in none."""
        return len(set(self.groups)) + self.alone


def monitoring_url(server: str, given: str | None) -> str:
    """Return where the pages are: as ``given``, or on the usual port of the server's host (``host:port``)."""
    if given:
        return given.rstrip("/")
    host = urlsplit(f"nats://{server.partition(',')[0]}").hostname or "localhost"
    return f"http://{in_url(host)}:{PORT}"


async def listeners(url: str, subject: str) -> Listeners:
    """Ask who would get a message of this subject.

    Raises:
        MonitoringUnavailableError: no page there, or none of NATS.
    """
    try:
        async with asyncio.timeout(TIMEOUT):
            body = await _page(f"{url}/subsz", {"subs": "1", "test": subject})
        found = body["subscriptions_list"] if body["total"] else []
        groups = [str(one.get("qgroup", "")) for one in found]
        delivered = sum(int(one.get("msgs", 0)) for one in found)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _unavailable(url, f"it is no page of NATS ({type(error).__name__})") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _unavailable(url, str(error) or type(error).__name__) from error
    return Listeners(tuple(sorted(filter(None, groups))), groups.count(""), delivered)


async def _page(url: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Return the JSON of a page, of which no more than ``LIMIT`` bytes are read."""
    async with (
        httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client,
        client.stream("GET", url, params=parameters) as answer,
    ):
        content = b""
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > LIMIT:
                raise ValueError("the page is too long")
    page = json.loads(content)
    if not isinstance(page, dict):
        raise TypeError("no object")
    return page


def _unavailable(url: str, why: str) -> MonitoringUnavailableError:
    return MonitoringUnavailableError(
        f"the monitoring pages of NATS at {redact(url)} cannot be read: {bounded(redact(why), 120)}; start nats-server "
        f"with -m {PORT}, or set {VARIABLES[0]}"
    )
