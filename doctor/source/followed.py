"""Facts of which somebody asks who waits for the function that they were found in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from doctor.source.callers import FunctionKey
from doctor.source.collector import CollectedFrom
from doctor.source.collectors import collectors
from doctor.source.facts import MAIN_BLOCK, MODULE_LEVEL
from doctor.source.module_facts import ModuleFacts
from doctor.source.resolve import Resolver
from doctor.source.waiting import Waiting

LIMIT = 48
"""Functions with followed facts above which nobody looks for those that call them: so many are what a library offers,
not what an application does when it starts."""

_FOLLOWED = tuple(collector for collector in collectors() if collector.followed)


@dataclass(frozen=True)
class Followed:
    """The followed facts of ``modules``; calls of the ``queued`` functions send a task, and nobody waits for that."""

    resolver: Resolver
    modules: Mapping[str, ModuleFacts]
    queued: Collection[FunctionKey]
    collected: CollectedFrom

    def waiting(self) -> dict[FunctionKey, frozenset[FunctionKey]]:
        """Return who waits for whom, for the functions of the facts and for all that wait for these."""
        keys = {key for fact in self._functions for key in self._waiting.of(fact)}
        return {key: self._waiting.of(key) for key in keys}

    def names_elsewhere(self) -> set[FunctionKey]:
        """Return the names under which other files may wait for what is followed; nothing when there is too much of it.

        A module is looked for as an import writes it.
        """
        if len(self._functions) > LIMIT:
            return set()
        names: set[FunctionKey] = set()
        for path, function in {key for fact in self._functions for key in self._waiting.of(fact)}:
            if function == MODULE_LEVEL:
                parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
                names |= {(path, f"{parts[-1]} import"), (path, f"import {parts[-1]}"), (path, ".".join(parts[-2:]))}
            elif function != MAIN_BLOCK:
                names.add((path, function.partition(".")[0]))
        return names

    @cached_property
    def _waiting(self) -> Waiting:
        """Who waits for whom; only trees with followed facts need it."""
        return Waiting(self.resolver, self.modules, self.queued)

    @cached_property
    def _functions(self) -> frozenset[FunctionKey]:
        """The functions in which collectors have found what is followed."""
        return frozenset(
            (path, fact.function)
            for path in self.modules
            for collector in _FOLLOWED
            for fact in self.collected(path, collector)
            if fact.function
        )
