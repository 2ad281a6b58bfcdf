"""The target's identity provider: its signing keys, its metadata, its clock, each asked for once.

No address comes from a token. The addresses are those of the target's own settings, or stand in the metadata of the
issuer that the settings name.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from doctor.model import Endpoint, Secret
from doctor.resources.address import may_carry_a_secret
from doctor.resources.auth_settings import AuthSettings, shown
from doctor.resources.key_set import KeySet, KeysUnreachable, KeysUnusable, read_key_set
from doctor.resources.unreachable import Reason
from doctor.resources.web_document import Document, NoDocumentError, fetch

TOLERANCE = 5.0
"""Seconds by which clocks may differ: the default ``clockSkewInMs`` of Clerk's libraries."""

METADATA_PATHS = {True: "/.well-known/oauth-authorization-server", False: "/.well-known/openid-configuration"}
"""Where Clerk (true) and other issuers (false) publish their metadata."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClockDifference:
    """By how many seconds our clock is ahead of the provider's: at least and at most, for a date has no fractions."""

    least: float
    most: float

    @property
    def is_skewed(self) -> bool:
        """Whether the clocks differ by more than a verifier tolerates."""
        return self.least > TOLERANCE or self.most < -TOLERANCE

    @property
    def seconds(self) -> float:
        """The difference that is certain: 0 where the clocks may be equal."""
        return self.least if self.least > 0 else min(self.most, 0.0)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an issuer says of itself; texts are empty where it says nothing."""

    issuer: str
    keys_url: str
    document: Document


class Auth:
    """One identity provider. ``timeout`` is in seconds, for each question; ``clock`` is this machine's."""

    def __init__(self, settings: AuthSettings, *, timeout: float = 2.0, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = clock
        self._timeout = timeout
        self._asked: dict[str, asyncio.Task[Any]] = {}

    @property
    def endpoint(self) -> Endpoint:
        """Where the keys are, as far as the settings say, and which variable says so."""
        source = self.settings.keys_source or self.settings.public_key
        address = self.settings.keys_url or self.settings.issuer
        if not address:
            address = self.settings.backend_keys_url if self.settings.secret else "a static key"
        return Endpoint("auth", shown(address), source.origin if source else "")

    @property
    def has_keys_address(self) -> bool:
        """Whether the settings say where the keys are; with a static key alone they do not."""
        return bool(self.settings.keys_url or self.settings.issuer or self.settings.secret)

    async def document(self) -> Document:
        """Return what is served where the keys should be, whatever it is.

        Raises:
            KeysUnreachable: nothing came.
        """
        return await self._once("keys", self._document)

    async def keys(self) -> KeySet:
        """Return the signing keys.

        Raises:
            KeysUnreachable, KeysUnusable: see the module ``key_set``.
        """
        return read_key_set(await self.document())

    async def keys_or_none(self) -> KeySet | None:
        """Return the signing keys, or None where they cannot be had: that is AUT005's finding."""
        try:
            return await self.keys() if self.has_keys_address else None
        except (KeysUnreachable, KeysUnusable):
            return None

    async def keys_afresh(self) -> KeySet:
        """Ask for the signing keys once more: after a rotation there are others.

        Raises:
            KeysUnreachable, KeysUnusable: see the module ``key_set``.
        """
        return read_key_set(await self._once("keys, once more", self._document))

    async def keys_at(self, url: str) -> KeySet:
        """Return the signing keys of another address of the settings.

        Raises:
            KeysUnreachable, KeysUnusable: see the module ``key_set``.
        """
        return read_key_set(await self._once(url, lambda: self._fetch(url)))

    async def keys_of_the_secret_key(self) -> KeySet:
        """Return the keys that Clerk's API shows to the holder of the secret key.

        Raises:
            KeysUnreachable, KeysUnusable: see the module ``key_set``; a secret key that is refused is ``denied``.
        """
        return read_key_set(await self._once("backend", self._backend_document))

    async def answers_at(self, url: str) -> bool:
        """Tell whether a provider answers at another address, such as the published port of a container."""
        try:
            return (await self._fetch(url)).status == 200
        except KeysUnreachable:
            return False

    async def metadata(self) -> Metadata | None:
        """Return what the configured issuer says of itself; None where it says nothing that can be read."""
        return await self._once("metadata", self._metadata)

    async def answer_to(self, token: Secret | None) -> Document:
        """Show a token, or none, to the application, at the endpoint that only a verified user may see.

        Raises:
            NoDocumentError: nothing came, or the token would have to go beyond this machine without TLS.
        """
        url = self.settings.endpoint
        if not may_carry_a_secret(url):
            raise NoDocumentError(url, Reason.INVALID_ADDRESS, "a token is not sent without TLS")
        headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}
        return await fetch(url, timeout=self._timeout, headers=headers, clock=self.clock)

    async def clock_difference(self) -> ClockDifference | None:
        """Compare our clock with the date of the answer in which the keys came; None when it has none.

        Raises:
            KeysUnreachable: there is no answer.
        """
        document = await self.document()
        if document.date is None:
            return None
        return ClockDifference(document.asked - document.date - 1.0, document.answered - document.date)

    async def close(self) -> None:
        """Give up what is still being asked."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def _document(self) -> Document:
        is_backend = self.settings.keys_url == self.settings.backend_keys_url
        if self.settings.keys_url and not is_backend:
            return await self._fetch(self.settings.keys_url)
        if is_backend or not self.settings.issuer:
            return await self._once("backend", self._backend_document)
        metadata = await self.metadata()
        if metadata is None or not metadata.keys_url:
            wanted = self.settings.issuer_address + METADATA_PATHS[self.settings.is_clerk]
            raise KeysUnreachable(NoDocumentError(wanted, Reason.WRONG_PROTOCOL, "it names no `jwks_uri`"))
        return await self._fetch(metadata.keys_url)

    async def _backend_document(self) -> Document:
        secret = self.settings.secret
        url = self.settings.backend_keys_url
        if secret is None or secret.problem:
            raise KeysUnreachable(NoDocumentError(url, Reason.INVALID_ADDRESS, "there is no usable secret key"))
        if not may_carry_a_secret(url):
            raise KeysUnreachable(NoDocumentError(url, Reason.INVALID_ADDRESS, "a secret key is not sent without TLS"))
        return await self._fetch(url, {"Authorization": f"Bearer {secret.secret.reveal()}"})

    async def _metadata(self) -> Metadata | None:
        url = self.settings.issuer_address + METADATA_PATHS[self.settings.is_clerk]
        document = await self._fetch(url)
        try:
            body = json.loads(document.body) if document.status == 200 and document.is_whole else None
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return None
        issuer, keys_url = body.get("issuer"), body.get("jwks_uri")
        return Metadata(
            issuer if isinstance(issuer, str) else "", keys_url if isinstance(keys_url, str) else "", document
        )

    async def _fetch(self, url: str, headers: dict[str, str] | None = None) -> Document:
        try:
            return await fetch(url, timeout=self._timeout, headers=headers, clock=self.clock)
        except NoDocumentError as error:
            raise KeysUnreachable(error) from error

    async def _once(self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask once for all checks; one that gives up takes nothing from the others."""
        if name not in self._asked:
            self._asked[name] = asyncio.ensure_future(_awaited(ask))
        return await asyncio.shield(self._asked[name])


async def _awaited(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()
