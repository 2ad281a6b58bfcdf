"""Who calls what, backwards: from the functions that matter to the tasks and routes from which they are reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from doctor.source.module_facts import FunctionFacts, ModuleFacts
from doctor.source.resolve import Resolver, Symbol, SymbolKind

FunctionKey = tuple[str, str]
"""A function: path and qualified name."""


class Callers:
    """The calls among ``modules``. A call is looked up only when somebody asks who calls a function of that name.

    Calling one of the functions that are ``queued`` by a call does not run them, so nobody reaches what is in them.
    """

    def __init__(
        self, resolver: Resolver, modules: Mapping[str, ModuleFacts], queued: Collection[FunctionKey] = ()
    ) -> None:
        self._queued = queued
        self._resolver = resolver
        self._modules = modules
        self._sites: dict[str, list[tuple[FunctionKey, str]]] = defaultdict(list)
        for path, module in modules.items():
            for function in self._functions(module):
                for call in self._calls(function):
                    self._sites[call.rpartition(".")[2]].append(((path, function.qualname), call))
        self._direct: dict[FunctionKey, frozenset[FunctionKey]] = {}

    def of(self, function: FunctionKey) -> frozenset[FunctionKey]:
        """Return the function and all from which it is reached, however many calls away."""
        found, frontier = {function}, [function]
        while frontier:
            called = frontier.pop()
            for caller in () if called in self._queued else self._callers(called):
                if caller not in found:
                    found.add(caller)
                    frontier.append(caller)
        return frozenset(found)

    def is_called_on_anything(self, name: str) -> bool:
        """Tell whether a method of this name is called on an object of which nobody can say what it is."""
        return any("." in call and self._callee(call, *site) is None for site, call in self._sites.get(name, ()))

    def _functions(self, module: ModuleFacts) -> Iterable[FunctionFacts]:
        return module.functions.values()

    def _calls(self, function: FunctionFacts) -> Iterable[str]:
        return function.calls

    def _callers(self, function: FunctionKey) -> frozenset[FunctionKey]:
        if function not in self._direct:
            self._direct[function] = frozenset(self._found(function))
        return self._direct[function]

    def _found(self, function: FunctionKey) -> set[FunctionKey]:
        found = self._sites_of(function, function[1].rpartition(".")[2])
        around = function[1].rpartition(".<locals>.")[0]
        # A function inside another one runs when that one runs.
        return found | {(function[0], around)} if around else found

    def _sites_of(self, function: FunctionKey, name: str) -> set[FunctionKey]:
        """Return the functions that call this one under ``name``."""
        sites = self._sites.get(name, ())
        return {
            site
            for site, call in sites
            if self._may_mean(call, site, function) and self._callee(call, *site) == function
        }

    def _may_mean(self, call: str, site: FunctionKey, function: FunctionKey) -> bool:
        """Whether a method that a class calls of itself may be this one, by the names of its bases.

        Asked first, because following the bases means to read their files.
        """
        if call.rpartition(".")[0] not in ("self", "cls", "super()"):
            return True
        path, scope = site
        owner = function[1].rpartition(".")[0].rpartition(".")[2]
        return owner in self._names(path, scope.partition(".<locals>.")[0].rpartition(".")[0])

    def _names(self, path: str, qualname: str) -> set[str]:
        """Return the last names of a class and its bases, and of the bases of those in its file."""
        classes, found, left = self._modules[path].classes, set[str](), [qualname]
        while left:
            name = left.pop()
            if name.rpartition(".")[2] not in found:
                found.add(name.rpartition(".")[2])
                left += classes[name].bases if name in classes else ()
        return found

    def _callee(self, call: str, path: str, scope: str) -> FunctionKey | None:
        """Return the function of the target that a call as written means, methods of known objects included."""
        owner, _, name = call.rpartition(".")
        if owner in ("self", "cls", "super()"):
            around = Symbol(SymbolKind.CLASS, scope.partition(".<locals>.")[0].rpartition(".")[0], path)
            return self._resolver.method(around, name, inherited_only=owner == "super()")
        if owner.endswith("()"):  # a method of a new object: ``Helper().next()``
            if not owner.rpartition(".")[2][:1].isupper():
                return None
            return self._resolver.method(self._resolver.resolve(owner.removesuffix("()"), path, scope), name)
        for symbol in self._resolver.resolve_all(call, path, scope):
            if symbol.kind is SymbolKind.FUNCTION:
                return symbol.path, symbol.name
            if symbol.kind is SymbolKind.CLASS:
                return symbol.path, f"{symbol.name}.__init__"
            if symbol.kind is SymbolKind.VALUE and symbol.attribute and "." not in symbol.attribute:
                made_by = self._resolver.resolve(symbol.callee, symbol.path, symbol.scope)
                return self._resolver.method(made_by, symbol.attribute)
        return None
