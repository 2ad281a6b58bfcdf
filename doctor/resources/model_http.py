"""HTTP with an end, for every kind of model server: in time, in bytes, in redirects; the raw answer is kept.

The kinds differ in paths and bodies. What they share stands here: one client a base URL, opened when it is first asked,
and failures as :class:`ModelServerUnreachable` with their reason.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from doctor.late import httpx
from doctor.model import Endpoint, Secret
from doctor.redaction import redact
from doctor.resources.address import is_loopback, may_carry_a_secret, next_hop, resolve
from doctor.resources.model_server import Answer, ModelError, ModelServerError, ModelServerUnreachable, WrongPath
from doctor.resources.unreachable import Reason, reason_of

BODY_MAX = 64 * 1024 * 1024
"""Bytes of an answer beyond which it is not read on: a batch of vectors needs a tenth of it."""

LIST_MAX = 8 * 1024 * 1024
"""The same for what describes models; the longest list that is known, of all models of a router, has a tenth of it."""

LINE_MAX = 262_144
"""The same for one line of progress, which has some hundred."""

REDIRECTS = 5
"""Redirects that are followed; a proxy needs one or two."""

Body: TypeAlias = dict[str, Any]
Refusal: TypeAlias = Callable[[Answer, Body | None], ModelError]
"""Makes an error of an answer with a status of 400 or more."""


class ModelHttp:
    """One base URL of a model server. ``timeout`` is in seconds; ``invalid`` says why the URL cannot be used at all."""

    def __init__(
        self,
        url: str,
        *,
        kind: str,
        origin: str,
        timeout: float,
        headers: Mapping[str, str] | None = None,
        key: Secret | None = None,
        invalid: str = "",
    ) -> None:
        self.url = url
        self.endpoint = Endpoint(kind, redact(url), origin)
        self.timeout = timeout
        self._headers = dict(headers or {})
        self._key = key
        self._invalid = invalid
        self._client: httpx.AsyncClient | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine."""
        return not self._invalid and is_loopback(urlsplit(self.url).hostname or "")

    @property
    def sends_key(self) -> bool:
        """Whether a key is shown to the server: there is one, and it does not travel in the clear."""
        return self._key is not None and bool(self._key.reveal().strip()) and may_carry_a_secret(self.url)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        request: Mapping[str, Any] | None = None,
        *,
        refusal: Refusal,
        timeout: float | None = None,
        limit: int = LIST_MAX,
    ) -> tuple[Body, Answer]:
        """Ask one question whose answer is one JSON object.

        Raises:
            WrongPath: the answer is something else.
            ModelError: as :meth:`fetch`.
        """
        raw, answer = await self.fetch(method, path, request, refusal=refusal, timeout=timeout, limit=limit)
        body = json_object(raw)
        if body is None:
            raise WrongPath(answer)
        return body, answer

    async def fetch(
        self,
        method: str,
        path: str,
        request: Mapping[str, Any] | None = None,
        *,
        refusal: Refusal,
        timeout: float | None = None,
        limit: int = LIST_MAX,
    ) -> tuple[bytes, Answer]:
        """Ask one question; return the whole body, and what evidence keeps of it.

        Raises:
            ModelServerUnreachable: no answer, or none within ``timeout`` (by default the server's own).
            ModelError: what ``refusal`` makes of a status of 400 or more.
        """
        seconds = self.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds), self.response(method, path, request, seconds) as response:
                answer, body = await self.read(response, limit)
        except TimeoutError:
            raise ModelServerUnreachable(Reason.TIMEOUT, self.endpoint.address, f"{path} in {seconds:g} s") from None
        if answer.status >= 400:
            raise refusal(answer, json_object(body))
        return body, answer

    @asynccontextmanager
    async def response(
        self, method: str, path: str, request: Mapping[str, Any] | None, timeout: float
    ) -> AsyncIterator[httpx.Response]:
        """Open an answer whose body is read by the caller. Raises as :meth:`ask` does."""
        client = await self._opened()
        try:
            async with client.stream(method, self.url + path, json=request, timeout=timeout) as response:
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ModelServerUnreachable(why(error), self.endpoint.address, str(error)) from error

    async def read(self, response: httpx.Response, limit: int = LIST_MAX) -> tuple[Answer, bytes]:
        """Read an answer to its end.

        Raises:
            ModelServerError: it has more than ``limit`` bytes.
        """
        body = bytearray()
        async for chunk in response.aiter_bytes(65_536):
            body += chunk
            if len(body) > limit:
                answer = answer_of(response, bytes(body[:1000]))
                raise ModelServerError(f"an answer of more than {limit // 1_048_576} MiB, which was not read", answer)
        return answer_of(response, bytes(body)), bytes(body)

    async def lines(self, response: httpx.Response, idle: float) -> AsyncIterator[bytes]:
        """Read an answer line by line; each must be whole within ``idle`` seconds.

        Raises:
            ModelServerUnreachable: a line did not come to its end in time.
            ModelServerError: it has more than :data:`LINE_MAX` bytes.
        """
        pieces, rest = response.aiter_bytes(), b""
        clock = asyncio.get_running_loop().time
        until = clock() + idle
        while True:
            try:
                async with asyncio.timeout_at(until):
                    piece = await anext(pieces, b"")
            except TimeoutError:
                raise ModelServerUnreachable(Reason.TIMEOUT, self.endpoint.address, f"no line in {idle:g} s") from None
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole if piece else filter(None, [*whole, rest]):
                yield line
            if not piece:
                return
            if len(rest) > LINE_MAX:
                raise ModelServerError(f"a line of more than {LINE_MAX:,} bytes", answer_of(response, rest[:1000]))
            until = clock() + idle if whole else until

    async def _opened(self) -> httpx.AsyncClient:
        if self._invalid:
            raise ModelServerUnreachable(Reason.INVALID_ADDRESS, self.endpoint.address, self._invalid)
        if self._client is None:
            parts = urlsplit(self.url)
            try:
                await resolve(*next_hop(self.url), self.timeout)
            except (OSError, TimeoutError) as error:
                raise ModelServerUnreachable(reason_of(error), self.endpoint.address, str(error)) from error
            # Loading the certificates takes longer than all questions to a local server together. A redirect to TLS
            # needs them: only this machine is taken not to send one.
            is_bare = parts.scheme == "http" and self.is_loopback
            verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_bare else True
            # What is packed may be a thousand times longer than what is sent, so nothing packed is asked for.
            headers = {"Accept-Encoding": "identity", **self._headers, **self._authorization()}
            self._client = self._client or httpx.AsyncClient(
                verify=verify,
                headers=headers,
                follow_redirects=True,
                max_redirects=REDIRECTS,
                trust_env=not self.is_loopback,
            )
        return self._client

    def _authorization(self) -> dict[str, str]:
        if self._key is None or not self.sends_key:
            return {}
        key = self._key.reveal().strip()
        if not (key.isascii() and key.isprintable()):
            detail = "the key holds characters that no header can carry"
            raise ModelServerUnreachable(Reason.AUTHENTICATION, self.endpoint.address, detail)
        return {"Authorization": f"Bearer {key}"}


def answer_of(response: httpx.Response, body: bytes) -> Answer:
    """Return what evidence needs of an answer."""
    headers = response.headers
    return Answer.of(
        str(response.url),
        response.status_code,
        headers.get("content-type", ""),
        body,
        headers.get("retry-after", ""),
        code=headers.get("x-error-code", ""),
        said=headers.get("x-error-message", ""),
    )


def why(error: Exception) -> Reason:
    """Return why a request had no answer."""
    if isinstance(error, httpx.TimeoutException):
        return Reason.TIMEOUT
    if isinstance(error, httpx.RemoteProtocolError):
        cut = any(words in str(error) for words in ("disconnected", "peer closed connection"))
        return Reason.CLOSED if cut else Reason.WRONG_PROTOCOL
    if isinstance(error, httpx.TooManyRedirects | httpx.DecodingError):
        return Reason.WRONG_PROTOCOL
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Reason.INVALID_ADDRESS
    reason = reason_of(error)
    return Reason.CLOSED if reason is Reason.OTHER and isinstance(error, httpx.ReadError | httpx.WriteError) else reason


def json_value(body: bytes) -> Any:
    """Return the JSON value in ``body``, or None when there is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def json_object(body: bytes) -> Body | None:
    """Return the JSON object in ``body``, or None when there is none."""
    value = json_value(body)
    return value if isinstance(value, dict) else None
