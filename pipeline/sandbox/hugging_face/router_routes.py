"""The router: chat completions of many providers under ``/v1``, embeddings beside it under ``/hf-inference``.

A model may carry a provider or a policy behind a colon. What no enabled provider runs is 400 ``model_not_supported``
(issue threads). That an unknown model is 400 ``model_not_found``, and the words about a missing permission, come from
issue threads too and were not measured. Any other path is 404 as text, ``/hf/v1`` among them.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doctor.pipeline.sandbox.hugging_face.refusals import HubRefusalError, account_of
from doctor.pipeline.sandbox.hugging_face.world import Account, Provider, Repository, World
from doctor.pipeline.sandbox.models.embedding import embed
from doctor.pipeline.sandbox.models.generation import generate
from doctor.pipeline.sandbox.models.openai_routes import schema_of

POLICIES = frozenset({"fastest", "cheapest", "preferred"})


class RouterRefusalError(Exception):
    """A request that is answered in OpenAI's shape."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class RouterRoutes:
    """Handlers over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{model:path}", self.model, methods=["GET"]),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/hf-inference/models/{model:path}/pipeline/feature-extraction", self.embed, methods=["POST"]),
        ]

    async def models(self, _: Request) -> Response:
        """``GET /v1/models``: the chat models that somebody runs; no token is asked for."""
        served = [self._described(each) for each in self._world.repositories.values() if _is_listed(each)]
        return JSONResponse({"object": "list", "data": served})

    async def model(self, request: Request) -> Response:
        """``GET /v1/models/{id}``."""
        repository = self._world.repositories.get(request.path_params["model"])
        if repository is None or not _is_listed(repository):
            name = request.path_params["model"]
            raise RouterRefusalError(404, f"The model '{name}' does not exist", "model_not_found")
        return JSONResponse(self._described(repository))

    async def chat(self, request: Request) -> Response:
        """``POST /v1/chat/completions``."""
        account = self._account(request)
        body: dict[str, Any] = await request.json()
        asked = str(body.get("model", ""))
        name, _, wanted = asked.partition(":")
        repository = self._world.repositories.get(name)
        if repository is None:
            raise RouterRefusalError(400, f"The requested model '{asked}' does not exist", "model_not_found")
        provider = _chosen(repository, wanted, account)
        if provider is None:
            raise RouterRefusalError(
                400,
                f"The requested model '{asked}' is not supported by any provider you have enabled.",
                "model_not_supported",
            )
        prompt = "\n".join(str(each.get("content") or "") for each in body.get("messages", []))
        answer = generate(prompt, schema_of(body.get("response_format")), body.get("max_tokens"))
        message = {"role": "assistant", "content": answer.text}
        choice = {"index": 0, "message": message, "finish_reason": answer.done_reason}
        return JSONResponse(
            {"id": "stand-in", "object": "chat.completion", "created": 0, "model": asked, "choices": [choice]},
            headers={"X-Inference-Provider": provider.name},
        )

    async def embed(self, request: Request) -> Response:
        """``POST /hf-inference/models/{id}/pipeline/feature-extraction``: a list of vectors, and no object."""
        self._account(request)
        repository = self._world.repositories.get(request.path_params["model"])
        if repository is None or not repository.dimensions:
            raise RouterRefusalError(404, "Model not supported by provider hf-inference", "model_not_supported")
        inputs = (await request.json()).get("inputs", [])
        texts = [inputs] if isinstance(inputs, str) else inputs
        return JSONResponse([embed(text, repository.dimensions, repository.name) for text in texts])

    def _account(self, request: Request) -> Account:
        account = account_of(request, self._world)
        if account is None:
            raise HubRefusalError(401, "Invalid username or password.")
        if not account.may_infer:
            raise HubRefusalError(
                403,
                "This authentication method does not have sufficient permissions to call Inference Providers on "
                f"behalf of user {account.name}",
            )
        return account

    def _described(self, repository: Repository) -> dict[str, Any]:
        providers = [
            {
                "provider": each.name,
                "status": each.status,
                "context_length": each.context,
                "supports_tools": True,
                "supports_structured_output": True,
            }
            for each in repository.providers
        ]
        return {
            "id": repository.name,
            "object": "model",
            "created": 0,
            "owned_by": repository.name.partition("/")[0],
            "providers": providers,
        }


def _is_listed(repository: Repository) -> bool:
    return not repository.dimensions and any(each.status in ("live", "error") for each in repository.providers)


def _chosen(repository: Repository, wanted: str, account: Account) -> Provider | None:
    live = [each for each in repository.providers if each.status == "live"]
    enabled = [each for each in live if account.enabled is None or each.name in account.enabled]
    if wanted and wanted not in POLICIES:
        enabled = [each for each in enabled if each.name == wanted]
    return enabled[0] if enabled else None


async def refuse(_: Request, error: Exception) -> Response:
    """Answer a refusal as the router does."""
    assert isinstance(error, RouterRefusalError)
    body = {"message": error.message, "type": "invalid_request_error", "param": "model", "code": error.code}
    return JSONResponse({"error": body}, status_code=error.status)
