"""The stand-in as an ASGI application: keys, metadata, tokens, and the switches of its misbehaviour."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doctor.pipeline.sandbox.keys.behaviour import CONTROL_PREFIX, Behaviour
from doctor.pipeline.sandbox.keys.identity import SERVER_HEADER
from doctor.pipeline.sandbox.keys.instance import Instance, Signer
from doctor.pipeline.sandbox.keys.key_sets import answer, key_set


class TokenRequest(BaseModel):
    """What a minted token is to be like; see :meth:`Instance.mint`."""

    model_config = ConfigDict(extra="forbid")

    claims: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, Any] = Field(default_factory=dict)
    signer: Signer = "current"
    age_seconds: float = 0.0


class KeyServer:
    """State behind the routes: the instance, how it behaves, and how often it was asked."""

    def __init__(self, instance: Instance, clock: Callable[[], float] = time.time) -> None:
        self.instance = instance
        self.clock = clock
        self.behaviour = Behaviour()
        self.requests: Counter[str] = Counter()
        self._hits = 0

    def routes(self) -> list[Route]:
        """Return the public routes and those of the control."""
        return [
            Route("/.well-known/jwks.json", self.keys),
            Route("/moved/jwks.json", self.moved),
            Route("/v1/jwks", self.backend_keys),
            Route("/.well-known/openid-configuration", self.metadata),
            Route("/.well-known/oauth-authorization-server", self.metadata),
            Route(f"{CONTROL_PREFIX}behaviour", self.control, methods=["GET", "PUT", "DELETE"]),
            Route(f"{CONTROL_PREFIX}requests", self.show_requests),
            Route(f"{CONTROL_PREFIX}rotate", self.rotate, methods=["POST"]),
            Route(f"{CONTROL_PREFIX}token", self.token, methods=["POST"]),
            Route(f"{CONTROL_PREFIX}public-key", self.public_key),
        ]

    def behave(self, behaviour: Behaviour) -> None:
        """Misbehave like this from now on."""
        self.behaviour = behaviour
        self._hits = 0

    async def keys(self, request: Request) -> Response:
        """Publish the keys, in the mode that is set."""
        self._count(request)
        self._hits += 1
        if self.behaviour.mode == "slow":
            await asyncio.sleep(self.behaviour.delay_seconds)
        before = self.instance.previous
        if before is not None and self._hits <= self.behaviour.after_hits:
            return self._dated(JSONResponse(key_set(before)))
        return self._dated(answer(self.behaviour.mode, self.instance, request))

    async def moved(self, request: Request) -> Response:
        """Publish the keys where a redirect leads."""
        self._count(request)
        return self._dated(JSONResponse(key_set(self.instance.current)))

    async def backend_keys(self, request: Request) -> Response:
        """Publish the keys to who holds the secret key, whatever the public route does."""
        self._count(request)
        if request.headers.get("Authorization") != f"Bearer {self.instance.secret_key}":
            return self._dated(JSONResponse({"errors": [{"code": "clerk_key_invalid"}]}, 401))
        return self._dated(JSONResponse(key_set(self.instance.current)))

    async def metadata(self, request: Request) -> Response:
        """Say who issues tokens here, and where the keys are."""
        self._count(request)
        document = {
            "issuer": self.behaviour.metadata_issuer or self.instance.issuer,
            "jwks_uri": f"{request.base_url}.well-known/jwks.json",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return self._dated(JSONResponse(document))

    async def control(self, request: Request) -> Response:
        """Show, set or take back the misbehaviour."""
        if request.method == "PUT":
            try:
                self.behave(Behaviour.model_validate_json(await request.body()))
            except ValidationError as error:
                return JSONResponse({"error": str(error)}, 400)
        elif request.method == "DELETE":
            self.behave(Behaviour())
        return JSONResponse(self.behaviour.model_dump())

    async def show_requests(self, _: Request) -> Response:
        """Show how many requests each path has had."""
        return JSONResponse(dict(self.requests))

    async def rotate(self, _: Request) -> Response:
        """Sign with a new key from now on."""
        key = await asyncio.to_thread(self.instance.rotate)
        return JSONResponse({"kid": key.kid})

    async def token(self, request: Request) -> Response:
        """Mint a token."""
        try:
            wanted = TokenRequest.model_validate_json(await request.body() or b"{}")
        except ValidationError as error:
            return JSONResponse({"error": str(error)}, 400)
        now = self.clock() - wanted.age_seconds
        token = self.instance.mint(now, claims=wanted.claims, headers=wanted.headers, signer=wanted.signer)
        return JSONResponse({"token": token})

    async def public_key(self, _: Request) -> Response:
        """Show the public keys as PEM: ours, and a stranger's."""
        instance = self.instance
        pems = {"current": instance.current.public_pem(), "stranger": instance.stranger.public_pem()}
        return JSONResponse({**pems, "kid": instance.current.kid})

    def _count(self, request: Request) -> None:
        self.requests[request.url.path] += 1

    def _dated(self, response: Response) -> Response:
        response.headers["Date"] = formatdate(self.clock() + self.behaviour.clock_offset_seconds, usegmt=True)
        response.headers["Server"] = SERVER_HEADER
        return response


def build_application(server: KeyServer) -> Starlette:
    """Build the application around a server's state."""
    application = Starlette(routes=server.routes())
    application.router.redirect_slashes = False
    return application
