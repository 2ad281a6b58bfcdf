"""Answers that no server should give: what proxies, portals, crashes and enemies send in place of a model server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

Garbage = Literal[
    "truncated-json", "huge", "drip", "redirects", "html", "invalid-utf8", "header-bomb", "wrong-type", "echo"
]

HUGE_BYTES = 200 * 1024 * 1024
DRIP_SECONDS = 0.1
BOMB_HEADERS = 2_000
BOMB_VALUE = "x" * 500

PORTAL = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to the network</body></html>"


def answer(kind: Garbage, request: Request) -> Response:
    """Return the answer of this kind."""
    return _ANSWERS[kind](request)


def _truncated(_: Request) -> Response:
    return Response('{"models": [{"name": "qwen', media_type="application/json")


def _huge(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"models": ['
        for _ in range(HUGE_BYTES // 1_048_576):
            yield b" " * 1_048_576
        yield b"]}"

    return StreamingResponse(body(), media_type="application/json")


def _drip(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(DRIP_SECONDS)

    return StreamingResponse(body(), media_type="application/json")


def _redirects(request: Request) -> Response:
    return RedirectResponse(str(request.url), status_code=307)


def _html(_: Request) -> Response:
    return Response(PORTAL, media_type="text/html")


def _invalid_utf8(_: Request) -> Response:
    return Response(b'{"models": [{"name": "\xff\xfe\xc3"}]}', media_type="application/json")


def _header_bomb(_: Request) -> Response:
    headers = {f"X-Bomb-{number}": BOMB_VALUE for number in range(BOMB_HEADERS)}
    return Response("{}", media_type="application/json", headers=headers)


def _wrong_type(_: Request) -> Response:
    return Response(b"\x89PNG\r\n\x1a\n" + bytes(64), media_type="image/png")


def _echo(request: Request) -> Response:
    """Refuse in words that hold the key that was sent, as careless gateways do."""
    sent = request.headers.get("authorization", "")
    return JSONResponse({"error": {"message": f"upstream refused: Authorization: {sent}", "code": sent}}, 500)


_ANSWERS: dict[str, Callable[[Request], Response]] = {
    "truncated-json": _truncated,
    "huge": _huge,
    "drip": _drip,
    "redirects": _redirects,
    "html": _html,
    "invalid-utf8": _invalid_utf8,
    "header-bomb": _header_bomb,
    "wrong-type": _wrong_type,
    "echo": _echo,
}
assert set(_ANSWERS) == set(get_args(Garbage))
