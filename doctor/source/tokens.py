"""JSON web tokens: which calls read one without its signature, and which verify it.

The behaviour was read in PyJWT 2.10, python-jose 3.5, Authlib 1.6 and joserfc 1.4.
"""

from __future__ import annotations

import ast
import re
from enum import StrEnum

from doctor.source.collector import Module
from doctor.source.expressions import dotted


class Reading(StrEnum):
    """What a call does with a token."""

    CLAIMS = "claims"
    """Returns its claims, whoever signed them."""
    WHOLE = "whole"
    """Returns header and payload, whoever signed them."""
    HEADER = "header"
    """Returns its header, which no signature has been checked for yet."""
    VERIFIES = "verifies"
    """Checks the signature, or raises."""
    DEPENDS = "depends"
    """Checks the signature or not, as an expression says."""


DECODERS = frozenset({"jwt.decode", "jwt.api_jwt.decode", "jose.jwt.decode", "jwt.PyJWT().decode"})
WHOLE_DECODERS = frozenset({"jwt.decode_complete", "jwt.api_jwt.decode_complete"})
CLAIM_READERS = frozenset({"jose.jwt.get_unverified_claims", "jose.jws.get_unverified_claims"})
HEADER_READERS = frozenset(
    {f"{module}.get_unverified_header" for module in ("jwt", "jwt.api_jws", "jose.jwt", "jose.jws")}
    | {"jose.jwt.get_unverified_headers", "jose.jws.get_unverified_headers"}
)
VERIFIERS = frozenset(
    {
        "authlib.jose.jwt.decode",
        "authlib.jose.JsonWebToken().decode",
        "joserfc.jwt.decode",
        "jose.jws.verify",
        "google.oauth2.id_token.verify_oauth2_token",
        "google.oauth2.id_token.verify_firebase_token",
        "google.oauth2.id_token.verify_token",
        "firebase_admin.auth.verify_id_token",
    }
)
IDENTITY_CLAIMS = frozenset(
    (
        "sub",
        "email",
        "user_id",
        "userid",
        "uid",
        "user",
        "username",
        "user_name",
        "preferred_username",
        "upn",
        "oid",
        "login",
        "given_name",
        "roles",
        "role",
        "groups",
        "scope",
        "scopes",
        "scp",
        "permissions",
        "is_admin",
        "cognito:username",
        "cognito:groups",
        "org_role",
    )
)
"""Claims that say who somebody is or what they may do; the others (iss, aud, exp, kid …) only describe the token."""

AFTER_THE_SIGNATURE = frozenset(
    (
        "ExpiredSignatureError",
        "ExpiredSignature",
        "ImmatureSignatureError",
        "InvalidAudienceError",
        "InvalidIssuerError",
        "InvalidIssuedAtError",
        "MissingRequiredClaimError",
        "JWTClaimsError",
        "ExpiredTokenError",
        "InvalidClaimError",
    )
)
"""Raised once the signature has been found good, so what is read then was signed by the right party."""

SAYS_SO = re.compile(r"un_?verified|insecure|unsafe|without_verif|no_?verif|skip_verif|peek|untrusted", re.IGNORECASE)
"""Names of functions that tell their callers what they get."""

DISCLAIMS = re.compile(
    r"\b(?:not|never)\s+(?:to\s+)?(?:be\s+)?(?:used|meant|intended|relied\s+on)\b[^.]{0,40}\bauth(?:enticat|ori[sz])"
    r"|\b(?:logging|debugging|diagnostics?|display)\s+(?:purposes\s+)?only\b",
    re.IGNORECASE,
)
"""Docstrings of functions that do the same."""

PROMISES = re.compile(
    r"(?:^|_)(?:verify|verified|authenticate|validate|current_user|get_user|require|login|principal)(?:_|$)"
)
"""Names of functions whose result their callers take for verified."""

_CHECKS_TOKEN = re.compile(r"(?:^|_)(?:verif|authenticat|introspect|validat)|compare_digest", re.IGNORECASE)


def reading_of(call: ast.Call, module: Module, constants: dict[str, ast.expr]) -> Reading | None:
    """Return what a call does with a token, or None. ``constants`` are names that are assigned once near the call."""
    origin = module.origin(call.func)
    if origin in CLAIM_READERS:
        return Reading.CLAIMS
    if origin in HEADER_READERS:
        return Reading.HEADER
    if origin in VERIFIERS:
        return Reading.VERIFIES
    if origin in DECODERS or origin in WHOLE_DECODERS:
        checked = verify_option(call, constants)
        if isinstance(checked, ast.Constant) and not checked.value:
            return Reading.CLAIMS if origin in DECODERS else Reading.WHOLE
        return Reading.VERIFIES if checked is None or isinstance(checked, ast.Constant) else Reading.DEPENDS
    return None


def verify_option(call: ast.Call, constants: dict[str, ast.expr]) -> ast.expr | None:
    """Return the expression that says whether the signature is checked, or None when the call leaves it at yes."""
    for word in call.keywords:
        if word.arg == "verify":  # PyJWT before 2.0
            return word.value
        if word.arg == "options":
            return _option(_resolved(word.value, constants))
    return _option(_resolved(call.args[3], constants)) if len(call.args) > 3 else None


def _option(options: ast.expr) -> ast.expr | None:
    if isinstance(options, ast.Dict):
        pairs = [(key.value, value) for key, value in zip(options.keys, options.values, strict=True) if _is_text(key)]  # type: ignore[union-attr]
    elif isinstance(options, ast.Call) and dotted(options.func) == "dict":
        pairs = [(word.arg, word.value) for word in options.keywords]
    else:
        return None
    return next((value for key, value in pairs if key == "verify_signature"), None)


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _resolved(node: ast.expr, constants: dict[str, ast.expr]) -> ast.expr:
    return constants.get(node.id, node) if isinstance(node, ast.Name) else node


def may_verify(call: ast.Call) -> bool:
    """Whether the name of a function says that it checks what it is given; nothing is known of how."""
    name = dotted(call.func).rpartition(".")[2]
    return bool(_CHECKS_TOKEN.search(name)) and not SAYS_SO.search(name)


def token_argument(call: ast.Call) -> ast.expr | None:
    """Return the token that a call reads."""
    if call.args:
        return call.args[0]
    named = (word.value for word in call.keywords if word.arg in ("jwt", "token", "id_token"))
    return next(named, None)


def is_base64(call: ast.Call) -> bool:
    """Whether a call decodes base64, as one does who reads the claims of a token by hand."""
    return dotted(call.func).rpartition(".")[2] in ("urlsafe_b64decode", "b64decode", "base64url_decode")
