"""Which failures no retry can cure, which ones pass with an outage, and how a failure is put into one line."""

from __future__ import annotations

import psycopg
from nats.errors import Error as NatsError
from pydantic import ValidationError
from taskiq import SendTaskError


class PermanentError(Exception):
    """Trying again cannot help: the cause is in the data, the configuration or the code."""


class OutageError(Exception):
    """A server that the work needs is away; the work itself is right, and can be done later."""


class UnfinishedError(Exception):
    """A task ends without its work being done or written down; its message must not be acknowledged."""


class FailureNotRecordedError(UnfinishedError):
    """A task failed for good, and the database could not take the dead letter."""


class StoppedByOutageError(UnfinishedError):
    """A server is away; the task is given back to the queue and tried again later."""


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


_OUTAGES = (OutageError, psycopg.OperationalError, SendTaskError, NatsError, ConnectionError)


def is_outage(error: BaseException) -> bool:
    """Tell whether a server is away, so that the same work can succeed when it is back."""
    return isinstance(error, _OUTAGES) and not is_permanent(error)


def describe(error: BaseException) -> str:
    """Put an error and its cause into one line.

    The task queue wraps what really happened (``Cannot send task to the queue``); the reason is in ``__cause__``.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    if error.__cause__ is not None:
        text = f"{text}: {' '.join(str(error.__cause__).split()) or type(error.__cause__).__name__}"
    return text.replace("\x00", "")
