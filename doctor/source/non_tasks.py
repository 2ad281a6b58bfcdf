"""Calls of a task's method on functions that are no tasks, and that nothing in the source makes answer to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from doctor.source.callers import FunctionKey
from doctor.source.collectors.task_values import ANY
from doctor.source.facts import NonTask
from doctor.source.libraries import VERBS_OF_TASKS_ONLY
from doctor.source.module_facts import ModuleFacts
from doctor.source.resolve import Resolver
from doctor.source.routes import route_of


@dataclass(slots=True)
class NonTasks:
    """The calls among ``modules``; ``is_task`` tells whether a function is registered in one of its branches.

    Only functions of a module count, without decorators or with those of routes: what another decorator makes of a
    function is not known here.
    """

    resolver: Resolver
    modules: Mapping[str, ModuleFacts]
    is_task: Callable[[FunctionKey], bool]
    calls: list[tuple[FunctionKey, NonTask]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.calls = [found for module in self.modules.values() for found in self._in(module)]

    def names_elsewhere(self) -> frozenset[FunctionKey]:
        """Return the functions to which another file may give the method."""
        return frozenset(key for key, _ in self.calls)

    def without(self, attached: Set[str], is_a_value: Callable[[str, str], bool]) -> tuple[NonTask, ...]:
        """Return those to which nothing gives the method; ``attached`` are the names that the collector has found."""
        return tuple(one for key, one in self.calls if not self._is_attached(key, attached, is_a_value))

    def _is_attached(self, function: FunctionKey, attached: Set[str], is_a_value: Callable[[str, str], bool]) -> bool:
        path, name = function
        if {name, f"={name}"} & attached or f"{self.resolver.names.name_of(path)}.{ANY}" in attached:
            return True
        return ANY in attached and is_a_value(path, name)  # what takes it may attach them

    def _in(self, module: ModuleFacts) -> Iterator[tuple[FunctionKey, NonTask]]:
        for call in module.enqueues:
            if call.verb not in VERBS_OF_TASKS_ONLY:
                continue
            symbols = tuple(self.resolver.resolve_all(call.target, module.path, call.function))
            symbol = symbols[0] if len(symbols) == 1 else None
            function = self.resolver.function(symbol)
            if symbol is None or function is None or "." in symbol.name or self.is_task((symbol.path, symbol.name)):
                continue
            as_route = [route_of(raw) is not None for raw in function.decorators]
            if all(as_route):
                found = NonTask(
                    path=module.path,
                    line=call.line,
                    function=call.function,
                    verb=call.verb,
                    target=call.target,
                    text=call.text,
                    identity=f"{self.resolver.names.name_of(symbol.path)}.{symbol.name}",
                    defined=f"{symbol.path}:{function.line}",
                    as_route=bool(as_route),
                )
                yield (symbol.path, symbol.name), found
