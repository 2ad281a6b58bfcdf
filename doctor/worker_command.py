"""What the command line of a TaskIQ worker says it imports."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

FLAGS = frozenset(
    {
        *("-fsd", "--fs-discover", "-r", "--reload", "--no-configure-logging", "--no-parse", "--no-propagate-errors"),
        *("--do-not-use-gitignore", "--use-process-pool"),
    }
)
"""Options of `taskiq worker` (0.13) without a value."""

PATTERN = "**/tasks.py"
"""What `--fs-discover` looks for unless `--tasks-pattern` says otherwise."""


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """``modules`` are imported by name, the broker's first; ``patterns`` are looked for among the files."""

    modules: tuple[str, ...]
    patterns: tuple[str, ...] = ()

    def files_found(self, files: Iterable[str]) -> list[str]:
        """Return those of ``files`` that the worker finds by its patterns."""
        return [path for path in files if any(_matches(path, pattern) for pattern in self.patterns)]


def worker_command(command: str) -> WorkerCommand | None:
    """Take the command line of a TaskIQ worker apart; None when it is none, or was cut."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    names = [PurePosixPath(word).name for word in words]
    if "taskiq" not in names or "worker" not in names[names.index("taskiq") :]:
        return None
    modules, patterns, discovers = list[str](), list[str](), False
    rest = iter(words[names.index("worker", names.index("taskiq")) + 1 :])
    for word in rest:
        name, _, value = word.partition("=")
        if name in ("-fsd", "--fs-discover"):
            discovers = True
        elif name in ("-tp", "--tasks-pattern"):
            patterns.append(value or next(rest, ""))
        elif name.startswith("-"):
            if name not in FLAGS and not value:
                next(rest, "")
        else:
            modules.append(word.partition(":")[0])
    if not modules:
        return None
    return WorkerCommand(tuple(modules), tuple(patterns or [PATTERN]) if discovers else ())


def _matches(path: str, pattern: str) -> bool:
    return PurePosixPath(path).match(pattern.removeprefix("**/"))
