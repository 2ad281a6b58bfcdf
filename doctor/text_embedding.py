"""Makes vectors of texts with a model server that may be slow, busy, broken or wrong.

What passes by itself is waited for; a text that the server cannot take is found by halving its batch; a vector that
must not be stored is turned down with the reason.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from doctor.fix import FixError
from doctor.packed_vector import all_packed, is_huge, packed
from doctor.resources.model_server import ModelError, ModelServerError, ModelServerUnreachable
from doctor.retrying import ATTEMPTS, back_off

EMBED_TIMEOUT = 60.0
"""Seconds for one batch; a batch that takes longer is halved when the server still answers a single word."""

LONE_ATTEMPTS = 3
"""How often a single text is tried at which the server breaks, before the text is held to be the cause."""

LONGEST_WAIT = 300.0
"""Seconds of a ``Retry-After`` beyond which it is better to come again than to wait."""

SMALLEST_NORM = 1e-6
"""A vector shorter than this is a zero vector: cosine distance to it is NaN."""

LARGEST_VALUE = 3.4e38
"""What a component of pgvector's ``vector`` can hold: a four-byte float."""

NO_NUMBERS = "values that are no numbers, or too large"

PROBE = "doctor"
"""What is embedded to see whether the server works at all."""

BUSY = (429, 503)


class Server(Protocol):
    """What is needed of a model server."""

    async def embed(self, model: str, texts: Sequence[str], *, timeout: float = ...) -> list[list[float]]:
        """Return one vector per text."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a text has no vector."""

    reason: str


Embedding: TypeAlias = bytes | Refused
"""A packed vector (:mod:`doctor.packed_vector`), or none."""

Failure: TypeAlias = ModelServerError | ModelServerUnreachable


class Embedder:
    """Embeds texts with one model, into vectors of ``dimensions`` values. ``sleep`` takes seconds."""

    def __init__(
        self,
        server: Server,
        model: str,
        dimensions: int | None,
        *,
        timeout: float = EMBED_TIMEOUT,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._server = server
        self._model = model
        self._dimensions = dimensions
        self._timeout = timeout
        self._sleep = sleep

    async def vectors(self, texts: Sequence[str]) -> list[Embedding]:
        """Return for each text its packed vector, or why it has none.

        Raises:
            FixError: the server does not recover, or refuses everything.
            ModelError: the server does not have the model, or is no model server.
        """
        failure: Failure | None = None
        for attempt in range(ATTEMPTS):
            try:
                return self._judged(await self._ask(texts))
            except (ModelServerError, ModelServerUnreachable) as error:
                failure = error
            if not _is_busy(failure):
                once_more = len(texts) == 1 and _may_pass(failure) and attempt < LONE_ATTEMPTS - 1
                if not once_more and await self._answers_others():
                    return await self._divided(texts, failure)
                if not _may_pass(failure):
                    break
            if attempt < ATTEMPTS - 1:
                await self._sleep(_pause(failure, attempt))
        raise FixError(
            f"the model server keeps failing: {failure}; what was written stays, run again later"
        ) from failure

    async def _divided(self, texts: Sequence[str], failure: Failure) -> list[Embedding]:
        """Halve a batch that fails while others do not, until what it fails at stands alone."""
        if len(texts) == 1:
            return [Refused(str(failure))]
        half = len(texts) // 2
        return [*await self.vectors(texts[:half]), *await self.vectors(texts[half:])]

    async def _answers_others(self) -> bool:
        try:
            return bool(await self._ask([PROBE]))
        except ModelError:
            return False

    async def _ask(self, texts: Sequence[str]) -> list[list[float]]:
        return await self._server.embed(self._model, texts, timeout=self._timeout)

    def _judged(self, vectors: list[list[float]]) -> list[Embedding]:
        """Pack a batch: at a glance where no vector has a flaw, as it is with nearly all, else one by one."""
        return [*(_packed_at_a_glance(vectors, self._dimensions) or map(self._judged_alone, vectors))]

    def _judged_alone(self, vector: list[float]) -> Embedding:
        try:
            made, problem = packed(vector), flaw(vector, self._dimensions)
        except (OverflowError, struct.error):
            problem = NO_NUMBERS
        return made if problem is None else Refused(f"the model gave {problem}")


def _packed_at_a_glance(vectors: list[list[float]], dimensions: int | None) -> list[bytes] | None:
    """Pack a batch; None where it takes a closer look to tell whether one of its vectors has a flaw."""
    if not dimensions:
        return None
    try:
        made = all_packed(vectors, dimensions)
    except (OverflowError, struct.error):
        return None
    middle = dimensions // 2
    differ = all(abs(vector[0]) > SMALLEST_NORM and vector[0] != vector[middle] for vector in vectors)
    return made if differ and not is_huge(b"".join(made)) else None


def flaw(vector: Sequence[float], dimensions: int | None) -> str | None:
    """Return why a vector must not be stored in a column of ``dimensions`` (None: any), or None when it may."""
    if not vector or (dimensions is not None and len(vector) != dimensions):
        return f"{len(vector)} dimensions in place of {dimensions or 'at least one'}"
    length = math.hypot(*vector)
    if not length < LARGEST_VALUE:  # also when it is no number
        return NO_NUMBERS
    if length <= SMALLEST_NORM:
        return "a zero vector"
    if len(vector) > 1 and vector[0] == vector[-1] == vector[len(vector) // 2] and len(set(vector)) == 1:
        return "the same value throughout"
    return None


def _is_busy(failure: Failure) -> bool:
    return isinstance(failure, ModelServerError) and failure.status in BUSY


def _may_pass(failure: Failure) -> bool:
    return isinstance(failure, ModelServerUnreachable) or failure.status in BUSY or failure.status >= 500


def _pause(failure: Failure, attempt: int) -> float:
    asked = failure.answer.retry_after if isinstance(failure, ModelServerError) else None
    if asked is not None and asked > LONGEST_WAIT:
        raise FixError(f"the model server asks to be left alone for {asked:.0f} s; run again then") from failure
    return back_off(attempt) if asked is None else asked
