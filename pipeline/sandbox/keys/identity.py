"""How the stand-in says that it is one."""

from __future__ import annotations

#: The ``Server`` header of every answer.
SERVER_HEADER = "jwks-stand-in/0.0.0"

#: The subject of the tokens that it mints when it is not told another one.
SUBJECT = "user_stand_in"
