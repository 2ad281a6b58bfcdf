"""One document over HTTP, by GET: in time, in bytes, in redirects (none), and with the other side's clock.

Errors:
    NoDocumentError: nothing usable came; ``reason`` says why in the vocabulary of :mod:`doctor.resources.unreachable`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from doctor.late import httpx
from doctor.redaction import bounded, redact
from doctor.resources.address import is_loopback, next_hop, resolve
from doctor.resources.unreachable import Reason, reason_of

MAX_BYTES = 1_000_000
"""Bytes that are read of a document; a set of keys has about two thousand."""

SHOWN = 200
"""Characters of a document that evidence keeps."""


class NoDocumentError(Exception):
    """Nothing usable came. ``url`` is redacted."""

    def __init__(self, url: str, reason: Reason, detail: str = "") -> None:
        self.url, self.reason, self.detail = redact(url), reason, bounded(redact(detail), SHOWN)
        super().__init__(f"GET {self.url}: {reason.explanation}{f' ({self.detail})' if self.detail else ''}")


@dataclass(frozen=True, slots=True)
class Document:
    """What came. ``asked`` and ``answered`` are our clock before and after, ``date`` is theirs, in seconds of Unix.

    ``is_whole`` is false when it was cut off after :data:`MAX_BYTES`. ``location`` is where a redirect leads.
    """

    url: str
    status: int
    content_type: str
    location: str
    body: bytes
    is_whole: bool
    asked: float
    answered: float
    date: float | None

    @property
    def shown(self) -> str:
        """Status, type and beginning, as evidence: redacted and cut."""
        if 300 <= self.status < 400:
            return f"{self.status}, leads to {self.location or 'nowhere'}"
        text = bounded(redact(" ".join(self.body[: SHOWN * 4].decode("utf-8", "replace").split())), SHOWN)
        return f"{self.status} {self.content_type or 'without a type'}: {text or '(empty)'}"


async def fetch(
    url: str,
    *,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> Document:
    """Ask for ``url`` and return what came, whatever its status. ``timeout`` is in seconds, for all of it.

    Raises:
        NoDocumentError: nothing came, or it did not come to an end in time.
    """
    received = bytearray()
    try:
        async with asyncio.timeout(timeout):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise NoDocumentError(url, Reason.INVALID_ADDRESS, "it is no address of HTTP")
            await resolve(*next_hop(url), timeout)
            async with _client(parts.scheme, parts.hostname) as client:
                return await _read(client, url, headers or {}, received, clock)
    except TimeoutError:
        began = f"it began to answer, and {len(received):,} bytes came" if received else ""
        raise NoDocumentError(url, Reason.TIMEOUT, began or f"within {timeout:g} s") from None
    except httpx.TimeoutException as error:
        raise NoDocumentError(url, Reason.TIMEOUT, f"within {timeout:g} s") from error
    except httpx.RemoteProtocolError as error:
        is_closed = "disconnected" in str(error) or "closed" in str(error)
        reason = Reason.CLOSED if is_closed else Reason.WRONG_PROTOCOL
        raise NoDocumentError(url, reason, str(error)) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        reason = Reason.INVALID_ADDRESS if isinstance(error, httpx.InvalidURL | ValueError) else reason_of(error)
        raise NoDocumentError(url, reason, str(error)) from error


def _client(scheme: str, host: str) -> httpx.AsyncClient:
    # Loading the certificates takes longer than all questions to a local server together.
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if scheme == "http" else True
    return httpx.AsyncClient(verify=bare, follow_redirects=False, trust_env=not is_loopback(host), timeout=None)


async def _read(
    client: httpx.AsyncClient, url: str, headers: Mapping[str, str], received: bytearray, clock: Callable[[], float]
) -> Document:
    asked = clock()
    # Undecoded: a few bytes of gzip can be a gigabyte.
    wanted = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
    async with client.stream("GET", url, headers=wanted) as response:
        answered = clock()
        async for piece in response.aiter_raw():
            received += piece
            if len(received) > MAX_BYTES:
                break
    return Document(
        url=redact(url),
        status=response.status_code,
        content_type=redact(response.headers.get("content-type", ""))[:80],
        location=bounded(redact(response.headers.get("location", "")), SHOWN),
        body=bytes(received[:MAX_BYTES]),
        is_whole=len(received) <= MAX_BYTES,
        asked=asked,
        answered=answered,
        date=_moment(response.headers.get("date", ""), response.headers.get("age", "")),
    )


def _moment(date: str, age: str) -> float | None:
    """Return the time at which an answer was sent: its date, and how long a cache has had it (RFC 9111, 5.1)."""
    try:
        return parsedate_to_datetime(date).timestamp() + (float(age) if age.isdecimal() and len(age) < 9 else 0.0)
    except (ValueError, OverflowError):
        return None
