"""The keys with which an instance signs its tokens: fetched from one address, kept for a while, never for ever.

PyJWT reads the keys. Its own client would fetch them too, but it blocks the event loop, and reads whatever comes for as
long as it comes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt

LIFESPAN_SECONDS = 300.0
"""How long keys are used without asking again: so long a key that was withdrawn is still taken."""

COOL_DOWN_SECONDS = 10.0
"""For so long an unknown key makes nobody ask again: tokens with invented keys must cost nothing."""

PATIENCE_SECONDS = 2.0
"""For so long a failure answers everybody: who waits for the same silence waits once."""

MOST_BYTES = 1_000_000


class KeysUnavailableError(Exception):
    """The signing keys cannot be had: nobody can be let in, and no token is at fault."""


class UnknownKeyError(Exception):
    """The instance publishes no key of this name: the token is of another instance, or of before a rotation."""


class SigningKeys:
    """The keys at ``url``. ``timeout`` is in seconds, for the whole answer."""

    def __init__(self, url: str, *, timeout: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._timeout = timeout
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._failed = -float("inf")
        self._failure = ""
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> jwt.PyJWK:
        """Return the key of this name.

        Raises:
            UnknownKeyError: there is none.
            KeysUnavailableError: it cannot be told.
        """
        if (key := self._fresh(kid)) is not None:
            return key
        async with self._lock:
            # While this one waited, another may have fetched, and may have failed.
            if (key := self._fresh(kid)) is not None:
                return key
            if self._age(self._fetched) >= COOL_DOWN_SECONDS:
                await self._fetch()
        if (key := self._fresh(kid)) is not None:
            return key
        raise UnknownKeyError(f"no published key has the name {kid[:80]!r}")

    def _age(self, moment: float) -> float:
        return self._clock() - moment

    def _fresh(self, kid: str) -> jwt.PyJWK | None:
        return self._keys.get(kid) if self._age(self._fetched) < LIFESPAN_SECONDS else None

    async def _fetch(self) -> None:
        if self._age(self._failed) < PATIENCE_SECONDS:
            raise KeysUnavailableError(self._failure)
        try:
            found = jwt.PyJWKSet.from_dict(await self._document()).keys
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError, jwt.PyJWTError) as error:
            self._failure = f"{self._url}: {type(error).__name__}: {str(error)[:200]}"
            self._failed = self._clock()
            raise KeysUnavailableError(self._failure) from error
        self._keys = {key.key_id: key for key in found if key.key_id and key.public_key_use in ("sig", None)}
        self._fetched = self._clock()

    async def _document(self) -> dict[str, Any]:
        """Return what is at the address, in time, in bytes, and without going where a redirect leads."""
        body = bytearray()
        undecoded = {"Accept-Encoding": "identity"}  # a few bytes of gzip can be a gigabyte
        async with (
            asyncio.timeout(self._timeout),
            httpx.AsyncClient(timeout=self._timeout) as client,
            client.stream("GET", self._url, headers=undecoded) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"answered {answer.status_code}")
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MOST_BYTES:
                    raise ValueError(f"answered more than {MOST_BYTES:,} bytes")
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ValueError("answered something else than a set of keys")  # noqa: TRY004 - of the data, not of the code
        return document
