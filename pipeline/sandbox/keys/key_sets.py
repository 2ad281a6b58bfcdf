"""The answers to a request for the key set: one function for each kind of failure, and the one that is right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from doctor.pipeline.sandbox.keys.behaviour import Mode
from doctor.pipeline.sandbox.keys.instance import Instance, SigningKey

HUGE_BYTES = 200 * 1024 * 1024
DRIP_SECONDS = 0.05
HEADER_BYTES = 300_000

HTML = "<!doctype html><html><head><title>Sign in</title></head><body>Sign in to the network</body></html>"


def key_set(*keys: SigningKey) -> dict[str, Any]:
    """Return the document that publishes these keys."""
    return {"keys": [key.public_jwk() for key in keys]}


def json_document(mode: Mode, instance: Instance) -> Any:
    """Return the JSON of the modes whose failure is in what the document says."""
    (shown,) = key_set(instance.current)["keys"]
    return {
        "empty": {"keys": []},
        "no-keys": {"message": "ok"},
        "list": [shown],
        "encryption-only": {"keys": [{**shown, "use": "enc"}]},
        "without-kid": {"keys": [{name: value for name, value in shown.items() if name != "kid"}]},
        "unusable": {"keys": [{"kty": "unheard-of", "kid": shown["kid"], "use": "sig"}]},
        "other-instance": key_set(instance.stranger),
        "other-key": {"keys": [{**instance.stranger.public_jwk(), "kid": shown["kid"]}]},
    }.get(mode, {"keys": [shown]})


def answer(mode: Mode, instance: Instance, request: Request) -> Response:
    """Return the answer of this mode; ``slow`` has waited already."""
    text = json.dumps(json_document(mode, instance))
    here = str(request.url)
    match mode:
        case "not-found":
            return JSONResponse({"errors": [{"code": "resource_not_found"}]}, 404)
        case "unauthorized":
            return JSONResponse({"errors": [{"code": "authentication_invalid"}]}, 401)
        case "error":
            return JSONResponse({"errors": [{"code": "internal_error"}]}, 500)
        case "redirect":
            return RedirectResponse(f"{request.base_url}moved/jwks.json", 302)
        case "redirect-circle":
            return RedirectResponse(here, 302)
        case "html":
            return HTMLResponse(HTML)
        case "wrong-content-type":
            return Response(text, media_type="text/html")
        case "truncated":
            return Response(text[: len(text) // 2], media_type="application/json")
        case "cut-short":
            return StreamingResponse(_once(text[:80]), headers={"Content-Length": str(len(text))})
        case "huge":
            return StreamingResponse(_spaces(), media_type="application/json")
        case "drip":
            return StreamingResponse(_drip(), media_type="application/json")
        case "invalid-utf8":
            return Response(b'{"keys": [{"kid": "\xff\xfe"}]}', media_type="application/json")
        case "header-bomb":
            return Response(text, headers={"X-Bomb": "b" * HEADER_BYTES}, media_type="application/json")
        case _:
            return Response(text, media_type="application/json")


async def _once(text: str) -> AsyncIterator[str]:
    yield text


async def _spaces() -> AsyncIterator[bytes]:
    yield b'{"keys": ['
    block = b" " * (1024 * 1024)
    for _ in range(HUGE_BYTES // len(block)):
        yield block
    yield b"]}"


async def _drip() -> AsyncIterator[bytes]:
    yield b'{"keys": ['
    while True:  # until the client has had enough
        await asyncio.sleep(DRIP_SECONDS)
        yield b" "
