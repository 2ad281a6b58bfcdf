"""Calls to model servers: Ollama through its own client, OpenAI-compatible servers over HTTP; all with time-outs."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import httpx
from ollama import AsyncClient, ResponseError
from pydantic import BaseModel, ValidationError

from .errors import OutageError, PermanentError
from .settings import get_settings

# Ollama loads a model anew when the context size changes, so sizes are rounded up to a few steps.
CONTEXT_STEP_TOKENS = 8_192
LARGEST_CONTEXT_TOKENS = 131_072
# A token is three to four characters of English; fewer characters per token means that more room is reserved.
CHARACTERS_PER_TOKEN = 3


class ModelError(Exception):
    """A model call failed."""


class ModelUnavailableError(ModelError, OutageError):
    """The server cannot be reached, is overloaded or failed; trying again later can help."""


class ModelRefusedError(ModelError, PermanentError):
    """The server refused the request: wrong key, wrong parameters, or not such a server at all."""


class ModelMissingError(ModelRefusedError):
    """The server does not have the model; pull it, or name another one in the agent configuration."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where models are served. ``base_url`` of an OpenAI-compatible server ends in ``/v1``."""

    name: str
    type: Literal["ollama", "openai"]
    base_url: str | None = None
    api_key_env: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked, and the JSON Schema that its answer must follow."""

    system: str
    user: str
    schema: Mapping[str, Any]
    temperature: float
    max_tokens: int


class _Choice(BaseModel):
    class _Message(BaseModel):
        content: str | None = None

    message: _Message


class _Completion(BaseModel):
    choices: list[_Choice]


class _ModelList(BaseModel):
    class _Model(BaseModel):
        id: str

    data: list[_Model] | None


async def generate_json(provider: Provider, model: str, prompt: Prompt) -> str:
    """Ask a model for JSON and return its text, which may still be invalid.

    Raises:
        ModelMissingError, ModelRefusedError, ModelUnavailableError: the call failed.
    """
    if provider.type == "ollama":
        return await _ask_ollama(provider, model, prompt)
    return await _ask_openai(provider, model, prompt)


async def embed_texts(texts: Sequence[str]) -> list[Sequence[float]]:
    """Embed texts with ``OLLAMA_EMBEDDING_MODEL``; one vector per text, in order, unchecked.

    Raises:
        ModelMissingError, ModelRefusedError, ModelUnavailableError: the call failed.
    """
    settings = get_settings()
    model = settings.ollama_embedding_model
    with _translated(f"embedding model '{model}' at {settings.ollama_host}"):
        async with _ollama(settings.ollama_host) as client:
            answer = await client.embed(model=model, input=list(texts))
    if len(answer.embeddings) != len(texts):
        raise ModelUnavailableError(f"{len(texts)} texts were sent to '{model}', {len(answer.embeddings)} vectors came")
    return list(answer.embeddings)


async def list_models(provider: Provider, timeout: float) -> list[str]:
    """Return the names of the models that a provider serves; ``timeout`` in seconds.

    Raises:
        ModelRefusedError, ModelUnavailableError: the call failed.
    """
    with _translated(f"provider '{provider.name}'"):
        if provider.type == "ollama":
            async with _ollama(provider.base_url or get_settings().ollama_host, timeout) as client:
                return [model.model for model in (await client.list()).models if model.model is not None]
        async with _openai(provider, timeout) as client:
            answer = await client.get("models")
            answer.raise_for_status()
            return [model.id for model in _ModelList.model_validate_json(answer.content).data or []]


async def _ask_ollama(provider: Provider, model: str, prompt: Prompt) -> str:
    host = provider.base_url or get_settings().ollama_host
    with _translated(f"model '{model}' at {host}"):
        async with _ollama(host) as client:
            answer = await client.chat(
                model=model,
                messages=_messages(prompt),
                format=dict(prompt.schema),
                options={
                    "temperature": prompt.temperature,
                    "num_predict": prompt.max_tokens,
                    "num_ctx": context_tokens(prompt),
                },
            )
    return answer.message.content or ""


async def _ask_openai(provider: Provider, model: str, prompt: Prompt) -> str:
    body = {
        "model": model,
        "messages": _messages(prompt),
        "temperature": prompt.temperature,
        "max_tokens": prompt.max_tokens,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": dict(prompt.schema)},
        },
    }
    with _translated(f"model '{model}' of provider '{provider.name}'"):
        async with _openai(provider) as client:
            answer = await client.post("chat/completions", json=body)
            answer.raise_for_status()
            choices = _Completion.model_validate_json(answer.content).choices
    return (choices[0].message.content or "") if choices else ""


def context_tokens(prompt: Prompt) -> int:
    """Return the context size that holds prompt and answer; Ollama silently cuts what does not fit its default."""
    needed = (len(prompt.system) + len(prompt.user)) // CHARACTERS_PER_TOKEN + prompt.max_tokens
    steps = -(-needed // CONTEXT_STEP_TOKENS)
    return min(LARGEST_CONTEXT_TOKENS, steps * CONTEXT_STEP_TOKENS)


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Load the certificate authorities once per process; it takes longer than a request."""
    return ssl.create_default_context()


def _deadline(timeout: float | None) -> httpx.Timeout:
    seconds = get_settings().model_timeout_seconds if timeout is None else timeout
    return httpx.Timeout(seconds, connect=min(5.0, seconds))


def _ollama(host: str, timeout: float | None = None) -> AsyncClient:
    return AsyncClient(host=host, timeout=_deadline(timeout), verify=_certificates())


def _openai(provider: Provider, timeout: float | None = None) -> httpx.AsyncClient:
    if provider.base_url is None:
        raise ModelRefusedError(f"provider '{provider.name}' has no base_url; set it, ending in /v1")
    headers = {}
    if provider.api_key_env is not None:
        key = os.environ.get(provider.api_key_env)
        if not key:
            raise ModelRefusedError(
                f"provider '{provider.name}': environment variable {provider.api_key_env} is not set"
            )
        headers["Authorization"] = f"Bearer {key}"
    url = provider.base_url.rstrip("/") + "/"
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=_deadline(timeout), verify=_certificates())


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn the errors of both clients into the three that callers tell apart; their message says it all."""
    try:
        yield
    except ResponseError as error:
        raise _refusal(what, error.status_code, error.error) from None
    except httpx.HTTPStatusError as error:
        raise _refusal(what, error.response.status_code, error.response.text[:500]) from None
    except httpx.TimeoutException as error:
        raise ModelUnavailableError(f"{what} did not answer in time ({type(error).__name__})") from None
    except (httpx.HTTPError, ConnectionError) as error:
        raise ModelUnavailableError(f"{what} cannot be reached: {error}") from None
    except (json.JSONDecodeError, ValidationError, httpx.InvalidURL, UnicodeError) as error:
        raise ModelRefusedError(f"{what}: this is not such a model server: {type(error).__name__}") from None


def _refusal(what: str, status: int, text: str) -> ModelError:
    """Map a status: 404 the model (or the path) is missing, 429 and 5xx may pass, the rest will not.

    Ollama reports an error inside an answer that has begun as status -1.
    """
    message = f"{what}: {text.strip() or 'no explanation'} (status {status})"
    if status == httpx.codes.NOT_FOUND:
        return ModelMissingError(message)
    if status < 0 or status in {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS} or status >= 499:
        return ModelUnavailableError(message)
    return ModelRefusedError(message)
