"""Signatures of every kind of public key are checked by the library, and keys are compared with a key in PEM form."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from doctor.resources.json_web_token import take_apart
from doctor.resources.key_set import PublicKeyText, SigningKey
from doctor.resources.signatures import CannotVerifyError, is_signed_by

KINDS = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS384": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def published(algorithm: str, private: Any) -> SigningKey:
    shown = get_default_algorithms()[algorithm].to_jwk(private.public_key(), as_dict=True)
    return SigningKey("k", shown["kty"], algorithm, shown)


def pem(private: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def token(algorithm: str, private: Any):
    text = jwt.encode({"exp": time.time() - 999}, private, algorithm, {"kid": "k"})
    return take_apart(text, variable="GIVEN", origin="environment")


@pytest.mark.parametrize("algorithm", KINDS)
def test_a_key_knows_its_signature_and_its_pem_and_no_other(algorithm: str) -> None:
    own, other = KINDS[algorithm](), KINDS[algorithm]()
    given = token(algorithm, own)
    assert is_signed_by(given, published(algorithm, own))
    assert is_signed_by(given, pem(own))
    assert not is_signed_by(given, published(algorithm, other))
    assert published(algorithm, own).is_in(PublicKeyText.read(pem(own)))
    for written in (pem(own).replace("\n", "\\n"), "".join(pem(own).splitlines()[1:-1])):
        assert published(algorithm, own).is_in(PublicKeyText.read(written))
        assert is_signed_by(given, PublicKeyText.read(written).pem)
    assert not published(algorithm, own).is_in(PublicKeyText.read(pem(other)))


def test_an_algorithm_or_a_key_that_does_not_fit_says_nothing_of_the_signature() -> None:
    private = KINDS["RS256"]()
    shared = jwt.encode({}, "a secret of thirty-two characters", "HS256")
    with pytest.raises(CannotVerifyError, match="no public key checks HS256"):
        is_signed_by(take_apart(shared, variable="X", origin="x"), pem(private))
    with pytest.raises(CannotVerifyError, match="does not fit"):
        is_signed_by(token("RS256", private), published("EdDSA", KINDS["EdDSA"]()))
    with pytest.raises(CannotVerifyError, match="does not fit"):
        is_signed_by(token("RS256", private), SigningKey("k", "RSA", "", {"kty": "RSA", "n": "!", "e": "AQAB"}))


@pytest.mark.parametrize(
    "text",
    ["", "a", "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", "-----BEGIN", "/run/key.pem", "bm8ga2V5"],
)
def test_what_is_no_public_key_has_a_problem_and_holds_no_key(text: str) -> None:
    read = PublicKeyText.read(text)
    assert read.problem
    assert not published("RS256", KINDS["RS256"]()).is_in(read)
