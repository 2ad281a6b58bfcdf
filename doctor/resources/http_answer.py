"""One HTTP request with an end: in time, and in the bytes that are read of the answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx

MAX_BYTES = 1_000_000
"""Bytes of an answer that are read; the answers that are asked for here are a hundred times smaller."""


class NoAnswerError(Exception):
    """No usable answer came; the message says what happened instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and text of an answer, the text cut off after :data:`MAX_BYTES`."""

    status: int
    text: str

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


async def ask(client: httpx.AsyncClient, method: str, path: str, body: Any, timeout: float) -> Answer:
    """Send ``body`` as JSON and return the answer. ``timeout`` is in seconds, for all of it.

    Raises:
        NoAnswerError: it could not be sent, or the answer did not come in time.
    """
    read = bytearray()
    try:
        async with asyncio.timeout(timeout), client.stream(method, path, json=body) as response:
            async for piece in response.aiter_bytes(65_536):
                read += piece
                if len(read) >= MAX_BYTES:
                    break
    except TimeoutError:
        raise NoAnswerError(f"no whole answer within {timeout:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswerError(f"{type(error).__name__}: {error}") from error
    return Answer(response.status_code, bytes(read[:MAX_BYTES]).decode("utf-8", "replace"))
