"""Takes off what containers put around each line: ``docker compose logs`` the service's name, and with ``-t`` a time;
Docker's own files JSON, those of Kubernetes the time and the stream.

The lines of several services interleave there, so that what belongs together does not stand together. A line of loguru
has a `` | `` too: a name with a bar counts only at the beginning of a line, and where nearly every line has one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence

SHARE = 0.9
"""Part of the lines that must have a prefix."""

_PREFIX = re.compile(
    r"(?P<service>[A-Za-z0-9][\w.-]{0,127}) +\|(?: (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)(?= |$))? ?"
)


_KUBERNETES = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) [FP] ")

Unwrapped = tuple[str, str, str]
"""Service, time and the line itself; what is not known is empty."""


def unwrapping(lines: Iterable[str]) -> Callable[[str], Unwrapped] | None:
    """Return what takes the lines of an input apart, by the first of them; None where nothing is around them."""
    some = [line for line in lines if line.strip()]
    for taken_apart in (of_compose, of_docker, of_kubernetes):
        if some and _share(some, taken_apart) >= SHARE:
            return lambda line, taken_apart=taken_apart: taken_apart(line) or ("", "", line)  # type: ignore[misc]
    return None


def _share(some: Sequence[str], taken_apart: Callable[[str], Unwrapped | None]) -> float:
    return sum(taken_apart(line) is not None for line in some) / len(some)


def of_compose(line: str) -> Unwrapped | None:
    """Take a line of ``docker compose logs`` apart; compose's own messages are none."""
    match = _PREFIX.match(line)
    return None if match is None else (match["service"], match["time"] or "", line[match.end() :])


def of_docker(line: str) -> Unwrapped | None:
    """Take a line of Docker's ``json-file`` apart."""
    if not line.startswith('{"log":'):
        return None
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields.get("log"), str) or not isinstance(fields.get("time", ""), str):
        return None
    return "", fields.get("time", ""), fields["log"].rstrip("\r\n").replace("\n", " ")


def of_kubernetes(line: str) -> Unwrapped | None:
    """Take a line of a container of Kubernetes apart."""
    match = _KUBERNETES.match(line)
    return None if match is None else ("", match["time"], line[match.end() :])
