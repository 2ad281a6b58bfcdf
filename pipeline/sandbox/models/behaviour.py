"""Misbehaviour on request: delays, error statuses, cut answers. For tests and for faults.

``PUT /_stand_in/behaviour`` with ``{"rules": [{"paths": ["/api/chat"], "status": 503, "times": 2}]}`` replaces all
rules, ``GET`` shows them, ``DELETE`` removes them. ``GET /_stand_in/requests`` counts the requests per path.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doctor.pipeline.sandbox.models.garbage import Garbage, answer

CONTROL_PREFIX = "/_stand_in/"

#: The body of each status that a server gives when it is in trouble: 403 comes from Ollama's host check and is empty,
#: 410 is what the retired service of Hugging Face says, 429 what OpenAI says of an empty account.
ERROR_BODIES = {
    403: b"",
    410: b'{"error":"https://api-inference.huggingface.co is no longer supported. '
    b'Please use https://router.huggingface.co instead."}',
    429: b'{"error":{"message":"You exceeded your current quota, please check your plan and billing details.",'
    b'"type":"insufficient_quota","param":null,"code":"insufficient_quota"}}',
    500: b'{"error":"model runner has unexpectedly stopped, this may be due to resource limitations"}',
    503: b'{"error":"server busy, please try again.  maximum pending requests exceeded"}',
}


class Rule(BaseModel):
    """What happens to the requests that match; the first rule that matches counts.

    ``paths`` empty means all paths. ``delay_seconds`` comes before anything else. ``status`` answers in place of the
    server. ``garbage`` answers with nonsense (see ``garbage.py``). ``truncate`` cuts the HTTP body (``body``, invalid
    JSON for the client) or lets the generated text end early (``content``: the body is whole, the JSON inside it is
    not). ``times`` is how often the rule is still applied; nothing means for ever.
    """

    model_config = ConfigDict(extra="forbid")

    paths: list[str] = Field(default_factory=list)
    delay_seconds: float = Field(default=0.0, ge=0, le=3600)
    status: Literal[403, 410, 429, 500, 503] | None = None
    garbage: Garbage | None = None
    truncate: Literal["body", "content"] | None = None
    times: int | None = Field(default=None, ge=1)


class Rules(BaseModel):
    """All rules of a stand-in, and how long each model takes to load when it is first used."""

    model_config = ConfigDict(extra="forbid")

    rules: list[Rule] = Field(default_factory=list)
    load_seconds: float = Field(default=0.0, ge=0, le=3600)


class Behaviour:
    """The rules in force, and the count of requests."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.requests: Counter[str] = Counter()

    def take(self, path: str) -> Rule | None:
        """Return the rule for a request and count it down."""
        for rule in self.rules.rules:
            if rule.paths and path not in rule.paths:
                continue
            if rule.times is not None:
                rule.times -= 1
                if rule.times == 0:
                    self.rules.rules.remove(rule)
            return rule
        return None

    async def control(self, request: Request) -> Response:
        """Show, replace or remove the rules; see the module."""
        if request.method == "PUT":
            try:
                self.rules = Rules.model_validate_json(await request.body())
            except ValidationError as error:
                return JSONResponse({"error": str(error)}, status_code=400)
        elif request.method == "DELETE":
            self.rules = Rules()
        return JSONResponse(self.rules.model_dump())

    async def show_requests(self, _: Request) -> Response:
        """Show how many requests each path has had."""
        return JSONResponse(dict(self.requests))


class Misbehave:
    """ASGI middleware that applies the rules; the control routes are exempt."""

    def __init__(self, app: ASGIApp, behaviour: Behaviour) -> None:
        self._app = app
        self._behaviour = behaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Apply the rule that matches, or pass the request on."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PREFIX):
            await self._app(scope, receive, send)
            return
        self._behaviour.requests[scope["path"]] += 1
        rule = self._behaviour.take(scope["path"])
        if rule is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(rule.delay_seconds)
        if rule.status is not None:
            media_type = "application/json; charset=utf-8" if ERROR_BODIES[rule.status] else None
            await Response(ERROR_BODIES[rule.status], rule.status, media_type=media_type)(scope, receive, send)
            return
        if rule.garbage is not None:
            await answer(rule.garbage, Request(scope, receive))(scope, receive, send)
            return
        scope.setdefault("state", {})["cut_content"] = rule.truncate == "content"
        await self._app(scope, receive, _cut(send) if rule.truncate == "body" else send)


def _cut(send: Send) -> Send:
    """Return a ``send`` that passes on the first half of the first piece of a body, as if that were all of it."""
    start: Message | None = None
    ended = False

    async def send_half(message: Message) -> None:
        nonlocal start, ended
        if message["type"] == "http.response.start":
            start = message
            return
        if ended or start is None:
            return
        body = message.get("body", b"")
        half = body[: len(body) // 2]
        names = (b"content-length",)
        start["headers"] = [pair for pair in start["headers"] if pair[0].lower() not in names]
        start["headers"].append((b"content-length", str(len(half)).encode()))
        ended = True
        await send(start)
        await send({"type": "http.response.body", "body": half})

    return send_half


def cut_json(text: str) -> str:
    """Return the first two thirds of a text: JSON that ends so is not valid."""
    cut = text[: len(text) * 2 // 3]
    try:
        json.loads(cut)
    except ValueError:
        return cut
    return cut + "{"
