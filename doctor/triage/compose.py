"""Takes off what ``docker compose logs`` puts before each line: the service's name, and with ``-t`` a time.

The lines of several services interleave there, so that what belongs together does not stand together. A line of loguru
has a `` | `` too: a name with a bar counts only at the beginning of a line, and where nearly every line has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

SHARE = 0.9
"""Part of the lines that must have a prefix."""

_PREFIX = re.compile(
    r"(?P<service>[A-Za-z0-9][\w.-]{0,127}) +\|(?: (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)(?= |$))? ?"
)


def is_composed(lines: Iterable[str]) -> bool:
    """Tell whether these are the lines of ``docker compose logs``."""
    some = [line for line in lines if line.strip()]
    return bool(some) and sum(_PREFIX.match(line) is not None for line in some) >= SHARE * len(some)


def taken_apart(line: str) -> tuple[str, str, str]:
    """Return service, time and the line itself; of compose's own messages the service is empty."""
    match = _PREFIX.match(line)
    if match is None:
        return "", "", line
    return match["service"], match["time"] or "", line[match.end() :]
