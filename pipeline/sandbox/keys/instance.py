"""One instance of an identity provider: its issuer, its signing keys, and the tokens that it mints.

Clerk names its key after the instance (``kid`` = ``ins_…``), so that an unknown ``kid`` usually means another instance.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from doctor.pipeline.sandbox.keys.identity import ORIGIN, SUBJECT

Signer = Literal["current", "previous", "stranger", "public-key-as-secret", "nobody"]
"""Whose key signs a token: ours, ours before the rotation, somebody else's; or what an attacker would try."""

LIFETIME_SECONDS = 60
"""How long a session token of Clerk lives."""

NOT_BEFORE_SECONDS = 10
"""How far a session token of Clerk is dated back."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under its public name."""

    kid: str
    private: rsa.RSAPrivateKey = field(repr=False)

    def public_jwk(self) -> dict[str, Any]:
        """Return what the key set shows of it."""
        shown = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**shown, "kid": self.kid, "alg": "RS256", "use": "sig"}

    def public_pem(self) -> str:
        """Return the public key as PEM, the form of ``CLERK_JWT_KEY``."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def new_key(kid: str | None = None) -> SigningKey:
    """Make a key of 2048 bits; without a name it gets one such as ``ins_2f9c…``."""
    return SigningKey(kid or f"ins_{secrets.token_hex(10)}", rsa.generate_private_key(65537, 2048))


class Instance:
    """The keys in force and those before; ``secret_key`` opens ``/v1/jwks``."""

    def __init__(self, issuer: str, key: SigningKey | None = None, secret_key: str = "") -> None:
        self.issuer = issuer
        self.current = key or new_key()
        self.previous: SigningKey | None = None
        self.stranger = new_key()
        self.secret_key = secret_key

    def rotate(self) -> SigningKey:
        """Sign with a new key from now on; the old one is published no longer."""
        self.previous, self.current = self.current, new_key()
        return self.current

    def mint(
        self,
        now: float,
        *,
        claims: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        signer: Signer = "current",
    ) -> str:
        """Return a session token as Clerk makes them (version 2); ``claims`` and ``headers`` replace, None removes."""
        issued = int(now)
        payload = {
            "azp": ORIGIN,
            "exp": issued + LIFETIME_SECONDS,
            "fva": [0, -1],
            "iat": issued,
            "iss": self.issuer,
            "jti": secrets.token_hex(10),
            "nbf": issued - NOT_BEFORE_SECONDS,
            "sid": "sess_stand_in",
            "sts": "active",
            "sub": SUBJECT,
            "v": 2,
        }
        key = {"previous": self.previous or self.current, "stranger": self.stranger}.get(signer, self.current)
        named = {"kid": key.kid if signer == "previous" else self.current.kid, **(headers or {})}
        return _signed(_without_none({**payload, **(claims or {})}), _without_none(named), key, signer)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _signed(payload: dict[str, Any], headers: dict[str, Any], key: SigningKey, signer: Signer) -> str:
    if signer == "nobody":
        return jwt.encode(payload, "", "none", headers)
    if signer != "public-key-as-secret":
        return jwt.encode(payload, key.private, "RS256", headers)
    # PyJWT refuses to make what an attacker makes by hand: the public key as if it were a shared secret.
    parts = [json.dumps(part).encode() for part in ({"typ": "JWT", **headers, "alg": "HS256"}, payload)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    digest = hmac.digest(key.public_pem().encode(), signed, "sha256")
    return f"{signed.decode()}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
