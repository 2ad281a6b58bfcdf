"""One real answer by a model: proof that it runs, how long it took to load, or why it does not."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import StrEnum

from doctor.model_uses import EMBEDDING, ModelUse
from doctor.resources.environment import Environment
from doctor.resources.model_names import same_model
from doctor.resources.model_server import (
    KeyRefused,
    ModelError,
    ModelServer,
    ModelServerUnreachable,
    NotAllowed,
    NotServed,
)
from doctor.resources.ollama import OllamaServer
from doctor.resources.unreachable import Reason

PROBE = "probe"
"""The tag of a check that makes models work; it runs with ``--probe``, or when its code is asked for."""

PROMPT = "Answer with one word: ready?"
TEXT = "doctor"
GENERATION_SECONDS = 25.0
EMBEDDING_SECONDS = 25.0

TIMEOUT_VARIABLES = (
    "MODEL_TIMEOUT_SECONDS",
    "OLLAMA_TIMEOUT",
    "OLLAMA_REQUEST_TIMEOUT",
    "LLM_TIMEOUT",
    "LLM_TIMEOUT_SECONDS",
    "OPENAI_TIMEOUT",
)
"""Variables by which targets say how many seconds they wait for a model."""


class TrialState(StrEnum):
    """What came of it."""

    RUNS = "runs"
    COLD = "cold start"
    """No answer in time, and the model was not in memory: it is still being loaded."""
    SILENT = "no answer in time"
    REFUSED_KEY = "key refused"
    NOT_ALLOWED = "permission missing"
    NOT_SERVED = "no enabled provider"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen. ``said`` is for people; ``load_seconds`` the time until the model was in memory, if known."""

    state: TrialState
    said: str
    load_seconds: float | None = None
    was_cold: bool = False
    dimensions: int | None = None
    """The length of the vector that came."""


@dataclass(frozen=True, slots=True)
class ClientTimeout:
    """How long the target waits for a model, and which variable says so."""

    name: str
    seconds: float


def client_timeout(environment: Environment) -> ClientTimeout | None:
    """Return how long the target says that it waits for a model, or None when it does not say."""
    for name in TIMEOUT_VARIABLES:
        variable = environment.get(name)
        try:
            seconds = float(variable.value) if variable is not None else math.nan
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds > 0:
            return ClientTimeout(name, seconds)
    return None


async def try_model(use: ModelUse, *, timeout: float | None = None) -> Trial:
    """Let a model answer once; ``timeout`` is in seconds, by default what a cold start may take."""
    cold = await _is_cold(use.server, use.model)
    started = time.perf_counter()
    try:
        said, load, dimensions = await _answer(use, timeout)
    except ModelServerUnreachable as error:
        if error.reason is Reason.TIMEOUT and cold:
            return Trial(TrialState.COLD, f"{error.detail}; it was not in memory when it was asked", was_cold=True)
        state = TrialState.SILENT if error.reason is Reason.TIMEOUT else TrialState.FAILED
        return Trial(state, error.detail or error.reason.explanation)
    except ModelError as error:
        return Trial(_state_of(error), str(error))
    took = time.perf_counter() - started
    load = took if load is None and cold else load
    return Trial(TrialState.RUNS, f"{said} in {took:.1f} s{', from cold' if cold else ''}", load, cold, dimensions)


async def _answer(use: ModelUse, timeout: float | None) -> tuple[str, float | None, int | None]:
    if use.capability == EMBEDDING:
        vectors = await use.server.embed(use.model, [TEXT], timeout=timeout or EMBEDDING_SECONDS)
        return f"embeds into {len(vectors[0])} dimensions", None, len(vectors[0])
    answer = await use.server.generate(use.model, PROMPT, timeout=timeout or GENERATION_SECONDS)
    return f"answers{' (cut)' if answer.finish == 'length' else ''}", answer.load_seconds, None


def _state_of(error: ModelError) -> TrialState:
    kinds = (
        (KeyRefused, TrialState.REFUSED_KEY),
        (NotAllowed, TrialState.NOT_ALLOWED),
        (NotServed, TrialState.NOT_SERVED),
    )
    return next((state for kind, state in kinds if isinstance(error, kind)), TrialState.FAILED)


async def _is_cold(server: ModelServer, model: str) -> bool:
    """Tell whether a model is not in the memory of its server; of servers that do not say, it is taken to be."""
    if not isinstance(server, OllamaServer):
        return False
    try:
        return not any(same_model(each.name, model) for each in await server.loaded())
    except ModelError:
        return False
