"""How the Hub refuses: a status, and the reason in two headers; and how it reads a token."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from doctor.pipeline.sandbox.hugging_face.world import Account, World


class HubRefusalError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


def account_of(request: Request, world: World) -> Account | None:
    """Return whose token was sent, None without one.

    Raises:
        HubRefusalError: the token is nobody's.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    try:
        return world.accounts[token]
    except KeyError:
        raise HubRefusalError(401, "Invalid credentials in Authorization header") from None


async def refuse(_: Request, error: Exception) -> Response:
    """Answer a refusal as the Hub does."""
    assert isinstance(error, HubRefusalError)
    headers = {"X-Error-Message": error.message}
    if error.code:
        headers["X-Error-Code"] = error.code
    return JSONResponse({"error": error.message}, status_code=error.status, headers=headers)
