"""The target's NATS: who answers, whether JetStream is on, its streams and consumers, and publishing with a receipt.

The server's greeting is read on a plain socket first (``nats_greeting``), before the client library is asked, which
hides the reasons of a failure behind its reconnecting.

Errors:
    NatsError
    ├── NatsUnreachable (also ResourceUnreachable)   no connection, or it broke
    ├── NatsTimedOut                                 connected, but no answer in time
    ├── JetStreamDisabled                            the server, or the account, has no JetStream
    ├── StreamNotFound                               no such stream, or none listens to the subject
    └── NatsRefused                                  the server refused the request; carries its error code
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from nats.aio.client import Client

from doctor.late import nats, nats_client
from doctor.model import Endpoint, Secret
from doctor.redaction import bounded, redact
from doctor.resources.address import is_loopback
from doctor.resources.jetstream import Consumer, PublishAck, ServerInfo, StoredMessage, Stream, consumer_of, stream_of
from doctor.resources.nats_greeting import (
    NatsError,
    NatsUnreachable,
    address_of,
    host_and_port,
    normalised,
    read_greeting,
)
from doctor.resources.unreachable import Reason, reason_of

__all__ = [
    "JetStreamDisabled",
    "Nats",
    "NatsError",
    "NatsRefused",
    "NatsTimedOut",
    "NatsUnreachable",
    "StreamNotFound",
]

PAGE = 256
"""Streams or consumers in one answer of the JetStream API."""

MAX_PAGES = 40
NO_MESSAGE = (10037, 10043, 10057)
"""JetStream's error codes when a message is not, or no longer, in the stream (not found, sequence not found, delete
failed)."""

_NAME = re.compile(r"[^\s.*>/\\]+")

T = TypeVar("T")


class NatsTimedOut(NatsError):  # noqa: N818
    """The server is connected and did not answer in time."""


class JetStreamDisabled(NatsError):  # noqa: N818
    """JetStream is off: start the server with ``-js``, or enable it for the account."""


class StreamNotFound(NatsError):  # noqa: N818
    """There is no such stream, or none that listens to the subject."""


class NatsRefused(NatsError):  # noqa: N818
    """The server refused; ``code`` is JetStream's error code (0: none)."""

    def __init__(self, message: str, code: int = 0) -> None:
        self.code = code
        super().__init__(bounded(redact(message), 300))


class Nats:
    """One NATS server (or cluster). ``timeout`` is in seconds, for connecting and for each request."""

    def __init__(self, url: Secret | str, *, origin: str, timeout: float = 2.0) -> None:
        text = url.reveal() if isinstance(url, Secret) else url
        self._servers = [normalised(part) for part in text.strip().strip("\"'").split(",") if part.strip()]
        self._origin = origin
        self._timeout = timeout
        self._client: Client | None = None
        self._is_open = False
        self._opening = asyncio.Lock()
        self._attempts = 0
        self._failure: NatsUnreachable | None = None
        self._server: ServerInfo | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where NATS is, without credentials, and where the address came from."""
        address = ",".join(address_of(server) for server in self._servers) or "(no address)"
        return Endpoint("nats", redact(address), self._origin)

    @property
    def is_loopback(self) -> bool:
        """Whether every server named is this machine."""
        try:
            hosts = [host_and_port(server)[0] for server in self._servers]
        except ValueError:
            return False
        return bool(hosts) and all(is_loopback(host) for host in hosts)

    @property
    def server(self) -> ServerInfo:
        """What the server said of itself.

        Raises:
            NatsUnreachable: before :meth:`open`.
        """
        if self._server is None:
            raise NatsUnreachable(Reason.CLOSED, self.endpoint.address, "not opened")
        return self._server

    @property
    def server_version(self) -> str | None:
        """Such as ``2.11.0``; None before the first connection."""
        return self._server.version if self._server else None

    async def open(self) -> None:
        """Connect.

        Raises:
            NatsUnreachable: with the reason.
        """
        seen = self._attempts
        async with self._opening:
            if self._client is not None and self._client.is_connected:
                return
            if self._failure is not None and self._attempts > seen:
                raise self._failure  # of the attempt that this one has waited for: another would cost as much again
            await self.close()
            try:
                await self._open_first()
                self._failure = None
            except NatsUnreachable as error:
                self._failure = error
                raise
            finally:
                self._attempts += 1

    async def _open_first(self) -> None:
        """Connect to the first server that answers; the first failure is the one that counts."""
        if not self._servers:
            raise NatsUnreachable(Reason.INVALID_ADDRESS, self.endpoint.address, "the address is empty")
        failure: NatsUnreachable | None = None
        for server in self._servers:
            try:
                self._server = await read_greeting(server, self._timeout)
                self._client = await self._connect(server)
            except NatsUnreachable as error:
                failure = failure or error
            else:
                self._is_open = True
                return
        assert failure is not None
        raise failure

    async def close(self) -> None:
        """Close the connection."""
        self._is_open = False
        client, self._client = self._client, None
        if client is not None:
            with suppress(nats.errors.Error, OSError, TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await client.close()

    async def round_trip(self) -> float:
        """Return the seconds that a PING takes to come back.

        Raises:
            NatsUnreachable, NatsTimedOut: see the module.
        """
        return float(await self._ask((await self._connected()).rtt()))

    async def streams(self) -> tuple[Stream, ...]:
        """Return all streams, by name.

        Raises:
            JetStreamDisabled, NatsUnreachable, NatsTimedOut, NatsRefused: see the module.
        """
        jetstream = (await self._connected()).jetstream(timeout=self._timeout)
        found: list[Stream] = []
        for page in range(MAX_PAGES):
            answer = await self._ask(jetstream.streams_info(offset=page * PAGE))
            found.extend(stream_of(info) for info in answer)
            if len(answer) < PAGE:
                break
        return tuple(sorted(found, key=lambda stream: stream.name))

    async def consumers(self, stream: str) -> tuple[Consumer, ...]:
        """Return the consumers of a stream, by name.

        Raises:
            StreamNotFound, JetStreamDisabled, NatsUnreachable, NatsTimedOut, NatsRefused: see the module.
        """
        if not _NAME.fullmatch(stream):
            raise StreamNotFound(f"{redact(stream)!r} cannot be the name of a stream")
        jetstream = (await self._connected()).jetstream(timeout=self._timeout)
        found: list[Consumer] = []
        for page in range(MAX_PAGES):
            answer = await self._ask(jetstream.consumers_info(stream, offset=page * PAGE))
            found.extend(consumer_of(info) for info in answer)
            if len(answer) < PAGE:
                break
        return tuple(sorted(found, key=lambda consumer: consumer.name))

    async def publish(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> PublishAck:
        """Publish through JetStream and wait for the receipt; only the engine's writers use it.

        Raises:
            StreamNotFound: no stream listens to the subject; nothing was stored.
            JetStreamDisabled, NatsUnreachable, NatsTimedOut, NatsRefused: see the module.
        """
        jetstream = (await self._connected()).jetstream(timeout=self._timeout)
        answer = await self._ask(jetstream.publish(subject, payload, headers=dict(headers) if headers else None))
        return PublishAck(answer.stream, answer.seq, bool(answer.duplicate))

    async def send(self, subject: str, payload: bytes) -> None:
        """Publish without JetStream, and wait until the server has it: who listens gets it, and nobody keeps it.

        Raises:
            NatsUnreachable, NatsTimedOut, NatsRefused: see the module.
        """
        client = await self._connected()
        await self._ask(client.publish(subject, payload))
        await self._ask(client.flush())

    async def stream_of_subject(self, subject: str) -> str:
        """Return the name of the stream that listens to a subject.

        Raises:
            StreamNotFound, JetStreamDisabled, NatsUnreachable, NatsTimedOut, NatsRefused: see the module.
        """
        jetstream = (await self._connected()).jetstream(timeout=self._timeout)
        return str(await self._ask(jetstream.find_stream_name_by_subject(subject)))

    async def next_message(self, stream: str, subject: str, sequence: int) -> StoredMessage | None:
        """Return the first stored message of a subject from ``sequence`` on, or None. Nothing is consumed by it.

        Raises:
            JetStreamDisabled, NatsUnreachable, NatsTimedOut, NatsRefused: see the module.
        """
        jetstream = (await self._connected()).jetstream(timeout=self._timeout)
        try:
            found = await self._ask(jetstream.get_msg(stream, seq=max(sequence, 1), subject=subject, next=True))
        except StreamNotFound:
            return None
        return StoredMessage(stream, found.seq or 0, found.data or b"")

    async def delete_message(self, message: StoredMessage) -> None:
        """Delete one stored message; that it is gone already is no error. Only the proof's clean-up uses it.

        Raises:
            JetStreamDisabled, NatsUnreachable, NatsTimedOut, NatsRefused: see the module.
        """
        jetstream = (await self._connected()).jetstream(timeout=self._timeout)
        try:
            await self._ask(jetstream.delete_msg(message.stream, message.sequence))
        except (StreamNotFound, NatsRefused) as error:
            if isinstance(error, NatsRefused) and error.code not in NO_MESSAGE:
                raise

    async def _connected(self) -> Client:
        """Return the client; a connection that broke since (a restart) is made anew, one that was closed is not."""
        if self._is_open and (self._client is None or not self._client.is_connected):
            try:
                await self.open()
            finally:
                self._is_open = True
        if self._client is None:
            raise NatsUnreachable(Reason.CLOSED, self.endpoint.address, "the connection is not open")
        return self._client

    async def _ask(self, question: Awaitable[T]) -> T:
        """Await one request within the deadline and translate what goes wrong."""
        try:
            async with asyncio.timeout(self._timeout):
                return await question
        except TimeoutError:
            raise NatsTimedOut(f"NATS at {self.endpoint.address} did not answer within {self._timeout:g} s") from None
        except (nats.js.errors.ServiceUnavailableError, nats.js.errors.NoStreamResponseError) as error:
            raise self._unavailable(error) from error
        except nats.js.errors.NotFoundError as error:
            raise StreamNotFound(bounded(redact(error.description or str(error)), 300)) from error
        except nats.js.errors.APIError as error:
            raise NatsRefused(error.description or str(error), error.err_code or 0) from error
        except (nats.errors.ConnectionClosedError, nats.errors.ConnectionReconnectingError, OSError) as error:
            raise NatsUnreachable(Reason.CLOSED, self.endpoint.address, str(error)) from error
        except nats.errors.Error as error:
            raise NatsRefused(str(error)) from error

    def _unavailable(self, error: Exception) -> NatsError:
        """Tell "JetStream is off" from "no stream listens to this subject": only the greeting knows."""
        code = getattr(error, "err_code", None)
        if code:
            return NatsRefused(getattr(error, "description", None) or str(error), code)
        if not self.server.jetstream or isinstance(error, nats.js.errors.ServiceUnavailableError):
            return JetStreamDisabled(f"JetStream is not enabled on NATS at {self.endpoint.address}: start it with -js")
        return StreamNotFound("no stream listens to this subject")

    async def _connect(self, server: str) -> Client:
        """Connect the client library, keeping the reason that it reports only to its callback."""
        reported: list[Exception] = []

        async def remember(error: Exception) -> None:
            reported.append(error)

        client = nats_client.Client()
        try:
            async with asyncio.timeout(self._timeout):
                await client.connect(
                    servers=[server],
                    error_cb=remember,
                    name="doctor",
                    connect_timeout=self._timeout,  # type: ignore[arg-type]  # annotated int, used as float
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0.1,  # type: ignore[arg-type]
                )
        except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
            with suppress(nats.errors.Error, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await client.close()
            raise self._unreachable(server, [*reported, error]) from None
        return client

    def _unreachable(self, server: str, errors: list[Exception]) -> NatsUnreachable:
        texts = " ".join(str(error) for error in errors).lower()
        detail = next((str(error) for error in errors if str(error)), type(errors[-1]).__name__)
        refused = any(isinstance(error, nats.errors.AuthorizationError) for error in errors)
        if refused or "authorization" in texts or "authentication" in texts:
            return NatsUnreachable(Reason.AUTHENTICATION, address_of(server), detail)
        reasons = [reason for reason in map(reason_of, errors) if reason is not Reason.OTHER]
        return NatsUnreachable(reasons[0] if reasons else Reason.OTHER, address_of(server), detail)
