"""Sessions at the identity provider of a sandbox: tokens, and how the provider behaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx

from doctor.pipeline.sandbox.errors import NotRunningError
from doctor.pipeline.sandbox.keys.behaviour import CONTROL_PREFIX, Mode

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

TIMEOUT_SECONDS = 10.0


def new_token(sandbox: Sandbox, **wanted: Any) -> str:
    """Return a session token; ``wanted`` are the fields of ``TokenRequest``.

    Raises:
        NotRunningError: the sandbox has no identity provider, or it does not answer.
    """
    return str(_ask(sandbox, "POST", "token", wanted)["token"])


def misbehave(sandbox: Sandbox, mode: Mode) -> None:
    """Have the provider serve its keys in this way from now on; ``right`` ends it.

    Raises:
        NotRunningError: the sandbox has no identity provider, or it does not answer.
    """
    _ask(sandbox, "PUT", "behaviour", {"mode": mode})


def _ask(sandbox: Sandbox, method: str, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
    url = sandbox.environment().get("CLERK_API_URL", "")
    if not url:
        raise NotRunningError("this sandbox has no identity provider: make one with `doctor sandbox up NAME --auth`")
    try:
        answer = httpx.request(
            method, f"{url}{CONTROL_PREFIX}{what}", json=body, timeout=TIMEOUT_SECONDS, trust_env=False
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise NotRunningError(f"the identity provider at {url} does not answer: {error}") from error
    found: dict[str, Any] = answer.json()
    return found
