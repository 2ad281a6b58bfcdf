"""The stand-in's signing key on disk, so that a token outlives a restart of the stand-in."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from doctor.pipeline.sandbox.files import read_json, replace_text
from doctor.pipeline.sandbox.keys.instance import SigningKey, new_key


def kept_key(path: Path) -> SigningKey:
    """Return the key in the file; one that is not there, or cannot be read, is made and written first."""
    return _read(path) or _written(path, new_key())


def _read(path: Path) -> SigningKey | None:
    try:
        values = read_json(path) or {}
        private = serialization.load_pem_private_key(str(values["private_key"]).encode(), None)
        return SigningKey(str(values["kid"]), private) if isinstance(private, RSAPrivateKey) else None
    except (KeyError, ValueError):
        return None


def _written(path: Path, key: SigningKey) -> SigningKey:
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    text = json.dumps({"kid": key.kid, "private_key": pem.decode()})
    replace_text(path, text + "\n", mode=0o600)
    return key
