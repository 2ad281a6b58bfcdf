"""Failures that no retry can cure, and how a failure is put into one line."""

from __future__ import annotations

import psycopg
from pydantic import ValidationError


class PermanentError(Exception):
    """Trying again cannot help: the cause is in the data, the configuration or the code."""


# Mistakes in the code, in the arguments or in the schema: the same call fails the same way a second later.
_NEVER_CURED = (
    PermanentError,
    AttributeError,
    ImportError,
    NameError,
    TypeError,
    ValidationError,
    psycopg.DataError,
    psycopg.ProgrammingError,
)


def is_permanent(error: BaseException) -> bool:
    """Tell whether trying again is pointless."""
    return isinstance(error, _NEVER_CURED)


def describe(error: BaseException) -> str:
    """Put an error and its cause into one line.

    The task queue wraps what really happened (``Cannot send task to the queue``); the reason is in ``__cause__``.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    if error.__cause__ is not None:
        text = f"{text}: {' '.join(str(error.__cause__).split()) or type(error.__cause__).__name__}"
    return text.replace("\x00", "")
