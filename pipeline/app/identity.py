"""Who calls: a session token of Clerk, verified against one issuer and one address of keys, both from the settings.

The algorithm is pinned too. What is wrong with the token is the caller's (401), what is wrong with the keys is ours
(503), and whatever cannot be told lets nobody in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jwt

from .settings import Settings, get_settings
from .signing_keys import SigningKeys, UnknownKeyError

ALGORITHM = "RS256"
REQUIRED_CLAIMS = ["exp", "iat", "iss", "sub"]


@dataclass(frozen=True, slots=True)
class User:
    """Somebody whose token was verified."""

    id: str
    session: str | None


class TokenRefusedError(Exception):
    """The token proves nothing; the message says why, without repeating any of it."""


@lru_cache(maxsize=4)
def _keys_at(url: str) -> SigningKeys:
    return SigningKeys(url)


async def verified_user(token: str) -> User:
    """Return whose token it is.

    Raises:
        TokenRefusedError: it is not a valid token of the configured instance.
        KeysUnavailableError: that cannot be told, for there are no keys.
    """
    settings = get_settings()
    try:
        header = jwt.get_unverified_header(token)
        key = await _key_for(header, settings)
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=settings.clerk_instance,
            audience=settings.clerk_audience,
            leeway=settings.clerk_leeway_seconds,
            options={"require": REQUIRED_CLAIMS},
        )
    except (jwt.InvalidTokenError, UnknownKeyError) as error:
        raise TokenRefusedError(f"{type(error).__name__}: {error}") from error
    if settings.authorized_parties and claims.get("azp") not in settings.authorized_parties:
        raise TokenRefusedError("the token was made for an origin that is not in CLERK_AUTHORIZED_PARTIES")
    session = claims.get("sid")
    return User(claims["sub"], session if isinstance(session, str) else None)


async def _key_for(header: dict[str, object], settings: Settings) -> jwt.PyJWK:
    """Find the key that a token names; one that could not be used anyway asks nobody."""
    kid = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(kid, str):
        raise jwt.InvalidAlgorithmError(f"the token is not signed with {ALGORITHM} by a key that it names")
    return await _keys_at(settings.clerk_keys_url).find(kid)
