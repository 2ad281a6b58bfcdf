"""A token taken apart, unverified, and never shown: what stays outside of it are the few claims that a verifier reads.

``sub``, ``email`` and every other claim that says who somebody is are not kept at all.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from doctor.model import Secret
from doctor.redaction import bounded, redact

MAX_CHARACTERS = 100_000
"""A longer text is no token that an HTTP header could carry."""

MOST_SECONDS = 1e11
"""A later moment is no date; milliseconds are taken for seconds by nobody."""

CLAIMS = ("iss", "azp", "aud", "exp", "nbf", "iat", "sts", "v")
"""The claims that decide whether a token is accepted, and say nothing of its owner."""

_SEGMENT = re.compile(r"[A-Za-z0-9_-]*")


class NoTokenError(Exception):
    """What was given is no signed token; the message says what it is instead, without repeating any of it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A signed token. ``origin`` says where it was read; ``has_subject`` whether ``sub`` is a text, None without."""

    secret: Secret
    variable: str
    origin: str
    algorithm: str
    kid: str | None
    claims: Mapping[str, Any] = field(repr=False)
    has_subject: bool | None = None
    has_key_address: bool = False
    """Whether its header names an address of keys (``jku``, ``x5u``), which no verifier may follow."""

    def damaged(self) -> Secret:
        """Return the same token with another signature: one that nobody may accept."""
        signed, _, signature = self.secret.reveal().rpartition(".")
        other = "A" if not signature.startswith("A") else "B"
        return Secret(f"{signed}.{other}{signature[1:]}")

    def claim(self, name: str) -> str:
        """Return a claim as text to show: redacted and cut."""
        value = self.claims.get(name)
        text = ", ".join(map(str, value[:5])) if isinstance(value, list) else str(value)
        return bounded(redact(text), 120)

    def moment(self, name: str) -> float | None:
        """Return a claim that is a time, in seconds of Unix, or None."""
        value = self.claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if abs(value) < MOST_SECONDS else None


def take_apart(text: str, *, variable: str, origin: str) -> Token:
    """Return the token in ``text``.

    Raises:
        NoTokenError: there is none.
    """
    text = text.strip()
    _require_three_parts(text)
    parts = text.split(".")
    header, claims = (_object(part, what) for part, what in zip(parts, ("header", "payload"), strict=False))
    kid = header.get("kid")
    subject = claims.get("sub")
    return Token(
        secret=Secret(text),
        variable=variable,
        origin=origin,
        algorithm=bounded(redact(str(header.get("alg"))), 20),
        kid=kid if isinstance(kid, str) else None,
        claims={name: claims[name] for name in CLAIMS if name in claims},
        has_subject=None if subject is None else isinstance(subject, str) and bool(subject),
        has_key_address=bool({"jku", "x5u", "jwk"} & header.keys()),
    )


_OTHER_THINGS = (
    (r"", "it is empty"),
    (r"(?i)bearer\s.*", "it begins with `Bearer `: what is verified is what follows (PyJWT: Invalid header padding)"),
    (r"[\"'].*", "it stands in quotes, which are taken for a part of it"),
    (r"sk_(test|live)_.*", "it is a secret key: nothing verifies that as a token, and it must not be sent"),
    (r"pk_(test|live)_.*", "it is a publishable key"),
    (r"sess_.*", "it is the id of a session, not its token"),
    (r"[^.]*(\.[^.]*){4}", "it is encrypted (five parts), and this verifier reads signed tokens (three parts)"),
)
"""What is given in place of a token, by its form."""


def _require_three_parts(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise NoTokenError(f"it has {len(text):,} characters")
    for form, what in _OTHER_THINGS:
        if re.fullmatch(form, text, re.DOTALL):
            raise NoTokenError(what)
    parts = text.split(".")
    if len(parts) != 3:
        raise NoTokenError(f"a signed token has three parts between dots, and this has {len(parts)}")
    if not all(map(_SEGMENT.fullmatch, parts)):
        raise NoTokenError("it holds characters that base64 has not")


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise NoTokenError(f"its {what} is not base64 of JSON") from None
    if not isinstance(value, dict):
        raise NoTokenError(f"its {what} is no object")
    return value
