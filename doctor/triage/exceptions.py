"""What a traceback says of its origin: the chain of types, the application's innermost calls, the masked message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from doctor.triage.masking import Masker
from doctor.triage.tracebacks import LOGGING_ERROR, Frame, Raised, raised

INNERMOST = 2
"""Frames of each exception that are part of its identity."""

NAMED = 6
"""Exceptions of a chain that are part of it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The identity of an exception. ``chain`` are ``Type: message``, the root first; ``frames`` are places of the
    application, the innermost last."""

    template: str
    chain: tuple[str, ...]
    frames: tuple[str, ...]


def origin_of(lines: Sequence[str], masker: Masker) -> Origin | None:
    """Return where an exception comes from, or None when the lines tell of none."""
    chain = raised(lines)
    if not chain:
        return None
    shown = chain[:1] + chain[1:][-NAMED + 1 :]
    types = " → ".join(one.type.rpartition(".")[2] or "?" for one in shown)
    frames = tuple(dict.fromkeys(frame.place for one in shown for frame in _frames(one)))
    message = masker.mask(shown[-1].message.partition("\n")[0])
    return Origin(f"{types} | {' > '.join(frames)} | {message}", tuple(map(_told, shown)), frames)


def _frames(one: Raised) -> list[Frame]:
    return one.app_frames[-INNERMOST:] or one.frames[-1:]


def _told(one: Raised) -> str:
    message = one.message.partition("\n")[0][:400]
    return f"{one.type}: {message}" if message else one.type


def is_logging_error(message: str) -> bool:
    """Tell whether the logger itself failed, so that the traceback is not the application's."""
    return message.startswith(LOGGING_ERROR)


def failed_message(lines: Sequence[str]) -> str:
    """Return the message that a logger could not write."""
    return next((line for line in lines if line.startswith("Message: ")), "")
