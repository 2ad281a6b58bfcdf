"""Reads Python's tracebacks: chains, groups, loguru's decorated form. The root is the first of a chain.

Texts are read as they come: cut off, repeated, with the values of variables between the lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

HEADER = "Traceback (most recent call last):"
CHAINS = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
LOGGING_ERROR = "--- Logging error ---"
LAST_OF_LOGGING_ERROR = "Arguments: "

_FRAME = re.compile(r'[\s|>+]*File "(?P<path>[^"]*)", line (?P<line>\d+)(?:, in (?P<function>.*))?')
_MARGIN = re.compile(r"^\s*(?:\|\s?|\+-+(?:\s*\d+\s*-*)?|\+\s)+")
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?::\s?(?P<message>.*))?", re.DOTALL)
_DECORATION = re.compile(r"^\s*[│└┬├]")
_FOREIGN = re.compile(r"(?:^|/)(?:site-packages|dist-packages|lib/python3?[\d.]*)/|^<|(?:^|/)importlib/")

FRAMES = 200
"""Frames that are kept of one exception; of an endless recursion the first and the last say enough."""

LONGEST_MESSAGE = 2_000
"""Characters of an exception's message."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One call. ``in_app``: not of an installed package or the standard library."""

    path: str
    line: int
    function: str

    @property
    def in_app(self) -> bool:
        """Whether it is the application's own code."""
        return _FOREIGN.search(self.path.replace("\\", "/")) is None

    @property
    def place(self) -> str:
        """``tasks.scoring:score``: the last two parts of the path, without what differs between machines."""
        parts = self.path.replace("\\", "/").removesuffix(".py").split("/")
        return f"{'.'.join(part for part in parts[-2:] if part)}:{self.function}"


@dataclass(slots=True)
class Raised:
    """One exception of a chain. ``type`` is its class, with the module where the text has it."""

    type: str = ""
    message: str = ""
    frames: list[Frame] = field(default_factory=list)

    @property
    def app_frames(self) -> list[Frame]:
        """The frames of the application, the innermost last."""
        return [frame for frame in self.frames if frame.in_app]


class TracebackScan:
    """Tells line by line what belongs to a traceback, where no header of a record says what does not."""

    def __init__(self) -> None:
        self._inside = False
        self._after = False
        self._in_logging_error = False

    def end(self) -> None:
        """A record begins: whatever was open is over."""
        self._inside = self._after = self._in_logging_error = False

    def takes(self, line: str) -> bool:
        """Tell whether a line belongs to the traceback that is open, or opens one."""
        if self._in_logging_error:
            self._in_logging_error = not line.startswith(LAST_OF_LOGGING_ERROR)
            return True
        if line.startswith(LOGGING_ERROR):
            self._in_logging_error = True
            return False
        text = line.strip(" |+>")
        if HEADER in line or text.startswith("Exception Group Traceback"):
            self._inside, self._after = True, False
            return True
        if text in CHAINS:
            self._after = True
            return True
        if self._inside:
            if line[:1].isspace() or not text or _DECORATION.match(line) or _FRAME.match(line):
                return True
            self._inside, self._after = False, True
            return True  # the line that names the exception
        if self._after:
            if not text or line[:1].isspace():
                return True
            self._after = False
        return False


def raised(lines: Iterable[str]) -> list[Raised]:
    """Return the exceptions that these lines tell of, the root first; one that is told twice counts once."""
    found: list[Raised] = []
    current: Raised | None = None
    ended = False
    for line in lines:
        if line.startswith(("Call stack:", "Message: ")):
            ended = True
            continue
        text = _MARGIN.sub("", line) if "|" in line[:40] or "+-" in line[:40] else line
        if HEADER in text:
            current, ended = Raised(), False
            found.append(current)
        elif current is None:
            continue
        elif text.strip() in CHAINS:
            ended = True
        elif (frame := _FRAME.match(text)) is not None:
            if not ended and not current.type and len(current.frames) < FRAMES:
                current.frames.append(Frame(frame["path"], int(frame["line"]), frame["function"] or "<module>"))
        elif not current.type:
            _name(current, text)
        elif not ended and text.strip() and len(current.message) < LONGEST_MESSAGE and not text.startswith("  +"):
            current.message = f"{current.message}\n{text}".strip()[:LONGEST_MESSAGE]
    return _without_repetition([one for one in found if one.type or one.frames])


def _name(current: Raised, text: str) -> None:
    """Take the line that names the exception, unless it is a line of source or a value of a variable."""
    if not current.frames and text[:1].isspace():
        return
    if text[:1].isspace() or _DECORATION.match(text):
        return
    match = _RAISED.fullmatch(text.rstrip())
    if match is not None:
        current.type = match["type"]
        current.message = (match["message"] or "")[:LONGEST_MESSAGE]


def _without_repetition(chain: list[Raised]) -> list[Raised]:
    """Some sinks write each traceback twice: the second half of a chain that repeats itself goes."""
    half = len(chain) // 2
    return chain[:half] if half and len(chain) % 2 == 0 and chain[:half] == chain[half:] else chain
