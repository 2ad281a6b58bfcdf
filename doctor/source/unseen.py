"""Functions that may be called in a way that the source does not show: used as a value, registered, of a framework."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from doctor.source.callers import Callers, FunctionKey
from doctor.source.module_facts import ClassFacts, ModuleFacts
from doctor.source.resolve import Resolver, Symbol, SymbolKind

_CALL_NOTHING = frozenset({"ABC", "BaseModel", "Generic", "NamedTuple", "Protocol", "object"})
"""Bases, by their last name, that call no method of a subclass by themselves."""

_DEPTH = 4
"""Classes above a class that are looked at."""


@dataclass(slots=True)
class Unseen:
    """The calls that cannot be seen among ``modules``; ``values`` are the names that each file uses as a value."""

    resolver: Resolver
    modules: Mapping[str, ModuleFacts]
    callers: Callers
    values: Mapping[str, Set[str]]
    users: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The files that use a name as a value."""

    def __post_init__(self) -> None:
        for path, names in self.values.items():
            for name in names:
                self.users[name].append(path)

    def may_call(self, function: FunctionKey) -> bool:
        """Whether something that cannot be seen may call a function."""
        path, qualname = function
        owner, _, name = qualname.rpartition(".")
        if self.is_a_value(path, name):
            return True
        return bool(owner) and ".<locals>" not in qualname and self._may_call_method(path, owner, name)

    def is_a_value(self, path: str, name: str) -> bool:
        """Whether a file uses something of this name and module as a value."""
        return any(user == path or self._imports(user, path, name) for user in self.users.get(name, ()))

    def _imports(self, user: str, path: str, name: str) -> bool:
        """Whether a file imports a name from somewhere, or the module of that path."""
        module = self.resolver.names.name_of(path).rpartition(".")[2]
        return any(
            name in statement.names or module in statement.names or statement.module.rpartition(".")[2] == module
            for statement in self.modules[user].imports
        )

    def _may_call_method(self, path: str, owner: str, name: str) -> bool:
        """Whether a base calls a method, or whoever has an object of the class."""
        symbol = Symbol(SymbolKind.CLASS, owner, path)
        if self._has_foreign_base(symbol, _DEPTH) or self.callers.is_called_on_anything(name):
            return True
        if self.resolver.method(symbol, name, inherited_only=True) is not None:
            return True  # a call of the base's method runs this one
        called = self.callers.of((path, f"{owner}.{name}")) - {(path, f"{owner}.{name}")}
        return not called and self._is_used(path, owner.partition(".")[0])

    def _has_foreign_base(self, symbol: Symbol | None, depth: int) -> bool:
        facts = self.resolver.class_of(symbol)
        if facts is None or symbol is None or depth == 0:
            return True
        bases = [base for base in facts.bases if base.rpartition(".")[2] not in _CALL_NOTHING]
        return any(self._has_foreign_base(self.resolver.resolve(base, symbol.path), depth - 1) for base in bases)

    def _is_used(self, path: str, name: str) -> bool:
        """Whether anything names a class: calls it, inherits from it, imports it."""
        module = self.modules[path]
        if any(call.partition(".")[0].removesuffix("()") == name for call in _called(module)):
            return True
        derived: Iterator[ClassFacts] = (one for one in module.classes.values() if name in one.bases)
        return (
            self.is_a_value(path, name)
            or any(derived)
            or any(self._imports(user, path, name) for user in self.modules if user != path)
        )


def _called(module: ModuleFacts) -> Iterator[str]:
    for function in (*module.functions.values(), *module.bodies):
        yield from function.calls
        yield from function.made
