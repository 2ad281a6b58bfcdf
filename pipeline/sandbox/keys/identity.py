"""How the stand-in says that it is one, and how its instance is called."""

from __future__ import annotations

import base64
from typing import Literal

#: The ``Server`` header of every answer.
SERVER_HEADER = "jwks-stand-in/0.0.0"

#: The subject of the tokens that it mints when it is not told another one.
SUBJECT = "user_stand_in"

#: The origin of the page on whose behalf its tokens are made.
ORIGIN = "http://localhost:3000"


def publishable_key(host: str, mode: Literal["test", "live"] = "test") -> str:
    """Return the publishable key of the instance at ``host``: unpadded base64 of the host and a dollar sign."""
    return f"pk_{mode}_" + base64.b64encode(f"{host}$".encode()).decode().rstrip("=")
