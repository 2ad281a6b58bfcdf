"""Tasks that no verb sends, and whether anything in the source speaks of them in another way."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Set
from dataclasses import dataclass

from doctor.source.callers import FunctionKey
from doctor.source.collectors.task_values import ANY
from doctor.source.facts import DecoratedFunction
from doctor.source.libraries import TOLD_BY_THEIR_METHODS

QUOTES = ('"', "'")
"""A name that begins with one of these is looked for as a text, not as something that is imported."""

_GIVEN_NAME = re.compile(r"""\bname\s*=\s*["']([\w.:]+)["']""")
_LIBRARIES = frozenset(library.name for library in TOLD_BY_THEIR_METHODS)


@dataclass(frozen=True, slots=True)
class Unsent:
    """The ``tasks`` of which this is asked."""

    tasks: tuple[DecoratedFunction, ...]

    @classmethod
    def of(cls, functions: Iterable[DecoratedFunction], sent: Collection[str | None]) -> Unsent:
        """Take the tasks among ``functions`` whose identity is not among those that are ``sent``."""
        return cls(tuple(one for one in functions if one.library in _LIBRARIES and one.id not in sent))

    def names_elsewhere(self) -> frozenset[FunctionKey]:
        """Return path and name under which other files may speak of them: by import, or by the full name as a text."""
        imported = {(task.path, task.name) for task in self.tasks if task.qualname == task.name}
        named = [(task.path, name) for task in self.tasks for name in _full_names(task)]
        texts = {(path, f"{quote}{name}{quote}") for path, name in named for quote in QUOTES}
        return frozenset(imported | texts)

    def spoken_of(self, values: Set[str]) -> frozenset[str]:
        """Return the identities of those that are among the values that the collector of these has found."""
        return frozenset(
            task.id
            for task in self.tasks
            if not values.isdisjoint((task.name, f"{task.module}.{ANY}", *_full_names(task)))
        )


def _full_names(task: DecoratedFunction) -> Iterator[str]:
    """Yield the names that a worker knows the task by, as far as they have a dot and so cannot mean anything else."""
    yield task.id
    for use in task.decorators:
        yield from (found.replace(":", ".") for found in _GIVEN_NAME.findall(use.text) if "." in found)
