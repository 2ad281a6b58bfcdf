"""How the key set is served: rightly, or in one of the ways in which it fails in practice.

``PUT /_stand_in/behaviour`` with ``{"mode": "html"}`` sets it, ``DELETE`` makes it right again, and
``GET /_stand_in/requests`` counts the requests per path. ``clock_offset_seconds`` moves the ``Date`` of every answer,
as if this machine's clock were wrong by as much the other way. ``after_hits`` lets that many requests for keys see the
keys of before the rotation.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CONTROL_PREFIX = "/_stand_in/"

Mode = Literal[
    "right",
    # Another status, another place, too late.
    "not-found",
    "unauthorized",
    "error",
    "redirect",
    "redirect-circle",
    "slow",
    # JSON, but no keys with which a signature could be checked.
    "empty",
    "no-keys",
    "list",
    "encryption-only",
    "without-kid",
    "unusable",
    # Keys, but not the ones that signed.
    "other-instance",
    "other-key",
    # Garbage.
    "html",
    "wrong-content-type",
    "truncated",
    "cut-short",
    "huge",
    "drip",
    "invalid-utf8",
    "header-bomb",
]


class Behaviour(BaseModel):
    """What happens to requests for keys; ``slow`` answers after ``delay_seconds``."""

    model_config = ConfigDict(extra="forbid")

    mode: Mode = "right"
    delay_seconds: float = Field(default=0.0, ge=0, le=3600)
    clock_offset_seconds: float = Field(default=0.0, ge=-1e9, le=1e9)
    after_hits: int = Field(default=0, ge=0)
    metadata_issuer: str | None = None
    """What the metadata call the issuer, where it is not the one that signs."""
