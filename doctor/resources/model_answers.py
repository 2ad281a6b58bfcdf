"""What a model server answered: untrusted JSON as plain values, and Ollama's refusals as errors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from doctor.redaction import redact
from doctor.resources.model_server import (
    Answer,
    KeyRefused,
    ModelError,
    ModelNotFound,
    ModelServerError,
    Vectors,
    WrongPath,
)

NO_MODEL = re.compile(r"model ['\"].+['\"] not found|file does not exist|manifest unknown", re.IGNORECASE)
"""How Ollama, and the registry that it pulls from, say that there is no such model."""


NUMBER_MAX = 1 << 63
"""Beyond it is no number of bytes, tokens or nanoseconds."""


def refusal(answer: Answer, body: dict[str, Any] | None, model: str) -> ModelError:
    """Tell a missing model (JSON that says so) from a path that does not exist (anything else with 404 or 405)."""
    error = (body or {}).get("error")
    said = error.get("message") if isinstance(error, dict) else error
    if isinstance(said, str) and NO_MODEL.search(said):
        return ModelNotFound(model, answer)
    if answer.status in (404, 405):
        return WrongPath(answer)
    if answer.status == 403 and not answer.body:
        return ModelServerError(
            f"{answer}; Ollama refuses host names that it does not know: set OLLAMA_HOST=0.0.0.0 on the server", answer
        )
    if answer.status == 401:
        return KeyRefused(answer)
    return ModelServerError(str(answer), answer)


def progress_line(event: dict[str, Any]) -> str:
    """Return one event of a download as a line for people."""
    status, total, done = text(event, "status"), number(event.get("total")), number(event.get("completed"))
    return f"{status} {100 * (done or 0) // total} % of {total / 1e9:.1f} GB" if total else status


def section(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the object under ``key``, or an empty one."""
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def text(body: Mapping[str, Any], key: str) -> str:
    """Return the string under ``key``, redacted, or an empty one."""
    value = body.get(key)
    return redact(value) if isinstance(value, str) else ""


def words(value: Any) -> frozenset[str]:
    """Return the strings of a list."""
    return (
        frozenset(redact(item) for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()
    )


def number(value: Any) -> int | None:
    """Return a number as an integer, or None; no server counts what 64 bits do not hold, ``1e999`` or ``NaN``."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and abs(value) < NUMBER_MAX else None


def vectors_of(value: Any, count: int, answer: Answer) -> Vectors:
    """Return ``count`` vectors.

    Raises:
        WrongPath: the answer holds no list.
        ModelServerError: it holds another number of vectors, or something else in one of them.
    """
    if not isinstance(value, list):
        raise WrongPath(answer)
    if len(value) != count:
        raise ModelServerError(f"{count} texts were sent and {len(value)} vectors came back", answer)
    try:
        vectors = [[float(item) for item in vector] for vector in value]
    except (TypeError, ValueError, OverflowError):
        vectors = [[math.nan]]
    if not all(math.isfinite(item) for vector in vectors for item in vector):
        raise ModelServerError("a vector holds something that is not a number", answer)
    return vectors
