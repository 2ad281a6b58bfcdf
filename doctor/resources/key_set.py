"""A JSON web key set (RFC 7517) as it was served: the keys with which a signature can be checked, or why there is none.

The rules for what counts are PyJWT's (``PyJWKClient`` 2.15): a key is used when it is for signatures or does not say,
and has a ``kid``.

Errors (both are also ``ResourceUnreachable``, so that a check that needs the keys is blocked by AUT005):
    KeysUnreachable   no answer came
    KeysUnusable      an answer came, and no signature can be checked with it; ``fault`` says why
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from doctor.redaction import bounded, redact
from doctor.resources.unreachable import Reason, ResourceUnreachable
from doctor.resources.web_document import Document, NoDocumentError

MAX_KEYS = 100
"""Keys of a set that are looked at; Clerk publishes one, others a handful."""


LEAST_BYTES = 32
"""The smallest number that tells keys apart: that of an Ed25519 key."""

_PEM = re.compile(
    r"(?:-----BEGIN (?P<kind>(?:RSA )?PUBLIC KEY)-----)?(?P<body>[A-Za-z0-9+/=\s]+)(?:-----END (?P=kind)-----)?"
)


class KeyFault(StrEnum):
    """Why no signature can be checked with an answer. Each member explains itself."""

    NOT_FOUND = "not found"
    DENIED = "denied"
    SERVER_ERROR = "server error"
    REDIRECT = "redirect"
    HTML = "html"
    TOO_LARGE = "too large"
    NOT_JSON = "not json"
    NOT_AN_OBJECT = "not an object"
    EMPTY = "empty"
    NO_SIGNING_KEY = "no signing key"
    NO_KEY_ID = "no key id"
    UNKNOWN_KIND = "unknown kind"

    @property
    def explanation(self) -> str:
        """What was seen, after "the address of the signing keys"."""
        return _FAULTS[self][0]

    @property
    def remedy(self) -> str:
        """What to do."""
        return _FAULTS[self][1]

    @property
    def raised(self) -> str:
        """What PyJWT's client raises then (2.15)."""
        return _FAULTS[self][2]


_CONNECTION = "PyJWKClientConnectionError"
_NOT_PYJWT = "json.JSONDecodeError, which is no PyJWTError: who catches only those answers 500"

_FAULTS: dict[KeyFault, tuple[str, str, str]] = {
    KeyFault.NOT_FOUND: ("does not exist there", "correct the path, usually /.well-known/jwks.json", _CONNECTION),
    KeyFault.DENIED: ("is not for everybody", "use the public address of the instance, not the API's", _CONNECTION),
    KeyFault.SERVER_ERROR: (
        "answers with an error",
        "look at the provider's status; the keys are its own",
        _CONNECTION,
    ),
    KeyFault.REDIRECT: (
        "redirects, and PyJWT's client follows no redirect from 2.14 on, while older ones and other libraries do",
        "configure the address to which it leads",
        _CONNECTION,
    ),
    KeyFault.HTML: (
        "answers with a page for people: a proxy, a sign-in, or a wrong path",
        "correct the address, or let the request past the proxy",
        _NOT_PYJWT,
    ),
    KeyFault.TOO_LARGE: ("answers without end", "correct the address: this is no set of keys", _NOT_PYJWT),
    KeyFault.NOT_JSON: ("answers with broken JSON", "look at what stands between: it cuts or changes it", _NOT_PYJWT),
    KeyFault.NOT_AN_OBJECT: (
        "answers with JSON that is no set of keys",
        "correct the address: a set of keys is an object with `keys`",
        "PyJWKClientError",
    ),
    KeyFault.EMPTY: (
        "publishes no key",
        "correct the address, or look in the provider's console why the instance has no key",
        "PyJWKSetError",
    ),
    KeyFault.NO_SIGNING_KEY: ("publishes keys for encryption only", "correct the address", "PyJWKClientError"),
    KeyFault.NO_KEY_ID: (
        "publishes keys without `kid`, so none can be chosen",
        "take the keys from the provider's own address",
        "PyJWKClientError",
    ),
    KeyFault.UNKNOWN_KIND: (
        "publishes keys of no usable kind",
        "correct the address, or use a library that knows the kind",
        "PyJWKSetError",
    ),
}


class KeysUnreachable(ResourceUnreachable):
    """No answer came from the address of the signing keys."""

    resource = "auth"
    title = "the address of the signing keys"

    def __init__(self, error: NoDocumentError) -> None:
        super().__init__(error.reason, error.url, error.detail)


class KeysUnusable(ResourceUnreachable):
    """An answer came from the address of the signing keys, and no signature can be checked with it."""

    resource = "auth"
    title = "the address of the signing keys"

    def __init__(self, fault: KeyFault, document: Document) -> None:
        super().__init__(Reason.WRONG_PROTOCOL, document.url, document.shown)
        self.fault = fault
        self.args = (f"{self.title} {document.url} {fault.explanation}; {fault.remedy}",)


@dataclass(frozen=True, slots=True)
class PublicKeyText:
    """A public key in PEM form, decoded; ``problem`` says why where it is none."""

    encoded: bytes = field(repr=False)
    kind: str = "PUBLIC KEY"
    problem: str = ""

    @property
    def pem(self) -> str:
        """The key as a library reads it."""
        body = "\n".join(textwrap.wrap(base64.b64encode(self.encoded).decode(), 64))
        return f"-----BEGIN {self.kind}-----\n{body}\n-----END {self.kind}-----\n"

    @classmethod
    def read(cls, text: str) -> PublicKeyText:
        """Decode the text of a variable.

        Line ends may be written as ``\\n``, as files of variables need it, and the first and the last line may be left
        out, as Clerk's libraries allow it.
        """
        match = _PEM.fullmatch(text.replace("\\n", "\n").strip())
        if match is None or ("BEGIN" in text) is not ("END" in text.rpartition("BEGIN")[2]):
            return cls(b"", problem="it is neither base64 nor that between `-----BEGIN PUBLIC KEY-----` and its end")
        try:
            encoded = base64.b64decode("".join(match["body"].split()), validate=True)
        except (binascii.Error, ValueError):
            return cls(b"", problem="what should be the key is not base64")
        if encoded[:1] != b"0":
            return cls(b"", problem="what it holds is no key")
        return cls(encoded, match["kind"] or "PUBLIC KEY")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key of the set. ``parameters`` are its numbers as they were served: public, but of no use to a reader."""

    kid: str
    kind: str
    algorithm: str
    parameters: Mapping[str, Any] = field(repr=False)

    @property
    def shown(self) -> str:
        """The name, safe to print."""
        return bounded(redact(self.kid), 60)

    @property
    def number(self) -> bytes:
        """What tells the key from every other."""
        names = ("n",) if self.kind == "RSA" else ("x", "y") if self.kind == "EC" else ("x",)
        return b"".join(_number(str(self.parameters.get(name, ""))) for name in names)

    def is_in(self, pem: PublicKeyText) -> bool:
        """Whether a public key in PEM form is this one: its encoding holds the number of the key as it is."""
        return len(self.number) >= LEAST_BYTES and self.number in pem.encoded


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a set and the answer in which they came."""

    keys: tuple[SigningKey, ...]
    document: Document

    def find(self, kid: str) -> SigningKey | None:
        """Return the key of this name, or None."""
        return next((key for key in self.keys if key.kid == kid), None)

    def shares_a_key_with(self, other: KeySet) -> bool:
        """Whether a key of this set is in the other too: name and number, for a name alone proves nothing."""
        return any((own := other.find(key.kid)) is not None and own.number == key.number for key in self.keys)

    @property
    def shown(self) -> str:
        """The names, safe to print."""
        return ", ".join(key.shown for key in self.keys[:5]) + (" …" if len(self.keys) > 5 else "")


def read_key_set(document: Document) -> KeySet:
    """Return the usable keys.

    Raises:
        KeysUnusable: there is none.
    """
    if (fault := _refused(document)) is not None:
        raise KeysUnusable(fault, document)
    entries = _entries(document)
    known = [entry for entry in entries if _is_known(entry)]
    signing = [entry for entry in known if entry.get("use", "sig") in ("sig", None)]
    named = [entry for entry in signing if isinstance(entry.get("kid"), str) and entry["kid"]]
    if not named:
        steps = ((known, KeyFault.UNKNOWN_KIND), (signing, KeyFault.NO_SIGNING_KEY), (named, KeyFault.NO_KEY_ID))
        raise KeysUnusable(next(fault for left, fault in steps if not left), document)
    keys = (SigningKey(e["kid"], e["kty"], str(e.get("alg") or ""), e) for e in named)
    return KeySet(tuple(keys), document)


def _refused(document: Document) -> KeyFault | None:
    """Return what the status, the size and the first bytes say against it."""
    if document.status in (401, 403):
        return KeyFault.DENIED
    if 300 <= document.status < 400:
        return KeyFault.REDIRECT
    if document.status >= 500:
        return KeyFault.SERVER_ERROR
    if document.status != 200:
        return KeyFault.NOT_FOUND
    if not document.is_whole:
        return KeyFault.TOO_LARGE
    return KeyFault.HTML if document.body.lstrip()[:1] == b"<" else None


def _entries(document: Document) -> list[dict[str, Any]]:
    try:
        body = json.loads(document.body)
    except (ValueError, RecursionError):
        raise KeysUnusable(KeyFault.NOT_JSON, document) from None
    if not isinstance(body, dict):
        raise KeysUnusable(KeyFault.NOT_AN_OBJECT, document)
    keys = body.get("keys")
    entries = [key for key in keys[:MAX_KEYS] if isinstance(key, dict)] if isinstance(keys, list) else []
    if not entries:
        raise KeysUnusable(KeyFault.EMPTY, document)
    return entries


def _is_known(entry: Mapping[str, Any]) -> bool:
    needed = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}.get(str(entry.get("kty")))
    return needed is not None and all(isinstance(entry.get(name), str) for name in needed)


def _number(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
