"""The Hub's API: who am I, what is this model, may I read it, and its files.

A refusal says why in ``X-Error-Code`` and ``X-Error-Message``. To an anonymous client what is missing and what is
private look the same: 401 with ``RepoNotFound``. A repository that is gated is described to everybody; its files are
refused.
"""

from __future__ import annotations

import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doctor.pipeline.sandbox.hugging_face.refusals import HubRefusalError, account_of
from doctor.pipeline.sandbox.hugging_face.world import COMMIT, Account, Repository, World
from doctor.pipeline.sandbox.models.behaviour import ERROR_BODIES


class HubRoutes:
    """Handlers over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes; those with more after the name of a model come first."""
        return [
            Route("/api/whoami-v2", self.whoami, methods=["GET"]),
            Route("/api/models/{model:path}/auth-check", self.auth_check, methods=["GET"]),
            Route("/api/models/{model:path}/tree/{revision}", self.tree, methods=["GET"]),
            Route("/api/models/{model:path}/revision/{revision}", self.describe, methods=["GET"]),
            Route("/api/models/{model:path}", self.describe, methods=["GET"]),
            Route("/models/{model:path}", self.retired, methods=["GET", "POST"]),
            Route("/{model:path}/resolve/{revision}/{file:path}", self.file, methods=["GET"]),
        ]

    async def whoami(self, request: Request) -> Response:
        """``GET /api/whoami-v2``."""
        account = account_of(request, self._world)
        if account is None:
            raise HubRefusalError(401, "Invalid username or password.")
        permissions = ["inference.serverless.write"] if account.may_infer else []
        token = {"displayName": "stand-in", "role": "fineGrained", "fineGrained": {"global": permissions}}
        return JSONResponse({"type": "user", "name": account.name, "auth": {"accessToken": token}})

    async def auth_check(self, request: Request) -> Response:
        """``GET /api/models/{id}/auth-check``: whether the files may be read."""
        self._readable(request)
        return Response("OK", media_type="text/plain")

    async def describe(self, request: Request) -> Response:
        """``GET /api/models/{id}``: also for a gated model; ``expand`` asks for single fields."""
        repository = self._visible(request)
        fields: dict[str, Any] = {
            "gated": repository.gated,
            "private": repository.private,
            "pipeline_tag": repository.task,
            "sha": COMMIT,
            "author": "stand-in",
            "siblings": [{"rfilename": name} for name in repository.files],
            "inference": "warm" if any(each.status == "live" for each in repository.providers) else None,
            "inferenceProviderMapping": {
                each.name: {"status": each.status, "providerId": repository.name, "task": "conversational"}
                for each in repository.providers
                if each.status != "error"
            },
        }
        wanted = request.query_params.getlist("expand[]") + request.query_params.getlist("expand")
        shown = {name: value for name, value in fields.items() if not wanted or name in wanted}
        if not wanted:
            shown.pop("inferenceProviderMapping")
        return JSONResponse({"_id": COMMIT[:24], "id": repository.name, **shown})

    async def tree(self, request: Request) -> Response:
        """``GET /api/models/{id}/tree/{revision}``."""
        repository = self._readable(request)
        return JSONResponse(
            [
                {"type": "file", "path": name, "size": len(content), "oid": _etag(content)}
                for name, content in repository.files.items()
            ]
        )

    async def file(self, request: Request) -> Response:
        """``HEAD|GET /{id}/resolve/{revision}/{file}``."""
        repository = self._readable(request)
        content = repository.files.get(request.path_params["file"])
        if content is None:
            raise HubRefusalError(404, "Entry not found", "EntryNotFound")
        return Response(content, headers={"ETag": f'"{_etag(content)}"', "X-Repo-Commit": COMMIT})

    async def retired(self, request: Request) -> Response:
        """``/models/{id}``: the path of the old service, which is gone."""
        return Response(ERROR_BODIES[410], status_code=410, media_type="application/json")

    def _visible(self, request: Request) -> Repository:
        account = account_of(request, self._world)
        repository = self._world.repositories.get(request.path_params["model"])
        if repository is None or (repository.private and not _reads(account, repository)):
            if account is None:
                raise HubRefusalError(401, "Invalid username or password.", "RepoNotFound")
            raise HubRefusalError(404, "Repository not found", "RepoNotFound")
        if repository.disabled:
            raise HubRefusalError(403, "Access to this resource is disabled.")
        return repository

    def _readable(self, request: Request) -> Repository:
        repository = self._visible(request)
        account = account_of(request, self._world)
        if repository.gated and not _reads(account, repository):
            status, who = (401, "You must have access to it and be authenticated") if account is None else (403, "Ask")
            raise HubRefusalError(
                status, f"Access to model {repository.name} is restricted. {who} to access it.", "GatedRepo"
            )
        return repository


def _reads(account: Account | None, repository: Repository) -> bool:
    return account is not None and repository.name in account.reads


def _etag(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
