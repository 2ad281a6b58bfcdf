"""Whether a key made a signature: PyJWT's answer, where the extra ``auth`` is installed.

Errors:
    CannotVerifyError: the library is missing, or knows neither key nor algorithm; the message says which.
"""

from __future__ import annotations

from doctor.late import jwt
from doctor.resources.json_web_token import Token
from doctor.resources.key_set import SigningKey

ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""The algorithms that a public key can check."""

INSTALL = "pip install 'pipeline-doctor[auth]'"


class CannotVerifyError(Exception):
    """Nothing can be said of the signature."""


def is_signed_by(token: Token, key: SigningKey | str) -> bool:
    """Tell whether ``key``, one of a set or a PEM, made the signature of ``token``; claims are not looked at.

    Raises:
        CannotVerifyError: see the module.
    """
    if token.algorithm not in ASYMMETRIC:
        raise CannotVerifyError(f"no public key checks {token.algorithm}")
    try:
        public = jwt.PyJWK.from_dict(dict(key.parameters)).key if isinstance(key, SigningKey) else key
        jwt.api_jws.decode(token.secret.reveal(), public, algorithms=[token.algorithm])
    except ImportError as error:
        raise CannotVerifyError(f"PyJWT is not installed: {INSTALL}") from error
    except jwt.InvalidSignatureError:
        return False
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise CannotVerifyError(f"{type(error).__name__}: the key does not fit {token.algorithm}") from error
    return True
