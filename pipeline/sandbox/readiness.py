"""Whether an HTTP service answers, asked with nothing but a socket."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

PROBE_SECONDS = 4.0


async def http_status(url: str) -> int | None:
    """Return the status of ``GET url`` (plain HTTP only); nothing when there is no answer in time."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(host, parts.port or 80)
            try:
                writer.write(request.encode("ascii"))
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
