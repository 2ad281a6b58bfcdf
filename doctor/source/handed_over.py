"""Resolves what is handed over: which function it is, and whether the object that takes it is of the right library."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from doctor.source.collector import CollectedFrom
from doctor.source.collectors.hand_overs import COLLECTOR, HandOver
from doctor.source.facts import HandedOver, Purpose
from doctor.source.module_facts import ModuleFacts
from doctor.source.resolve import Resolver, Symbol, SymbolKind

_Key = tuple[str, str]

_OWNERS = {
    "rq": re.compile(r"queue|(?:^|_)q$", re.IGNORECASE),
    "rq_scheduler": re.compile("sched", re.IGNORECASE),
    "apscheduler": re.compile("sched", re.IGNORECASE),
}
"""How an object is called that nobody can follow, in a file that imports the library."""

_HTTP_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_ANY_METHOD = ("dispatch", "dispatch_request", "form_valid")


@dataclass(slots=True)
class HandOvers:
    """Looks up the hand-overs of ``modules``; ``tasks`` are the functions that are registered by a decorator."""

    resolver: Resolver
    modules: Mapping[str, ModuleFacts]
    tasks: Collection[_Key]
    reached_from: Callable[[_Key], frozenset[str]]
    collected: CollectedFrom
    names: dict[str, list[_Key]] = field(default_factory=dict)

    def all(self) -> Iterator[HandedOver]:
        """Yield each with its function; names without a module are those of tasks, of arq's jobs first."""
        found: list[HandOver] = [fact for path in self.modules for fact in self.collected(path, COLLECTOR)]
        listed = [one for one in found if one.purpose is Purpose.TASK and not one.by_name]
        for one in listed:
            for key in self._functions(one.target, one):
                self.names.setdefault(one.label or key[1], []).append(key)
        for key in self.tasks:
            self.names.setdefault(key[1].rpartition(".")[2], []).append(key)
        for one in found:
            if not one.libraries or self._is_of(one):
                yield from self._resolved(one)

    def _resolved(self, one: HandOver) -> Iterator[HandedOver]:
        module = self.resolver.names.name_of(one.path)
        for label, key in self._targets(one):
            function = self.resolver.function(Symbol(SymbolKind.FUNCTION, key[1], key[0]))
            yield HandedOver(
                purpose=one.purpose,
                path=one.path,
                line=one.line,
                function=f"{module}.{one.function}",
                target=f"{self.resolver.names.name_of(key[0])}.{key[1]}",
                defined_path=key[0],
                defined_line=0 if function is None else function.line,
                label=label,
                text=one.text,
                reached_from=self.reached_from((one.path, one.function)),
            )

    def _targets(self, one: HandOver) -> Iterator[tuple[str, _Key]]:
        if one.by_name:
            yield from ((one.label, key) for key in self._named(one.target, one.path))
            return
        for key in self._functions(one.target, one):
            yield one.label, key
        if one.purpose is Purpose.ROUTE:
            yield from self._methods_of_view(one)

    def _named(self, name: str, path: str) -> Iterable[_Key]:
        dotted = name.replace(":", ".")
        found = [(s.path, s.name) for s in self.resolver.absolute(dotted, path) if s.kind is SymbolKind.FUNCTION]
        if found or "." not in dotted:
            return found or self.names.get(dotted, ())
        # Celery names a task as the module was imported, which may be from another folder than the root.
        suffix = f".{dotted}"
        last = dotted.rpartition(".")[2]
        return [k for k in self.names.get(last, ()) if f".{self.resolver.names.name_of(k[0])}.{k[1]}".endswith(suffix)]

    def _functions(self, target: str, one: HandOver) -> Iterator[_Key]:
        owner, _, name = target.rpartition(".")
        if owner in ("self", "cls"):
            method = f"{one.function.partition('.<locals>.')[0].rpartition('.')[0]}.{name}"
            if method in self.modules[one.path].functions:
                yield one.path, method
            return
        for symbol in self.resolver.resolve_all(target, one.path, one.function):
            if symbol.kind is SymbolKind.FUNCTION:
                yield symbol.path, symbol.name

    def _methods_of_view(self, one: HandOver) -> Iterator[tuple[str, _Key]]:
        address = one.label.partition(" ")[2]
        for symbol in self.resolver.resolve_all(one.target, one.path, one.function):
            module = self.resolver.load(symbol.path) if symbol.kind is SymbolKind.CLASS else None
            methods = {} if module is None else module.functions
            for name in (*_HTTP_METHODS, *_ANY_METHOD):
                if f"{symbol.name}.{name}" in methods:
                    method = name.upper() if name in _HTTP_METHODS else "ANY"
                    yield f"{method} {address}", (symbol.path, f"{symbol.name}.{name}")

    def _is_of(self, one: HandOver) -> bool:
        """Tell whether the object that takes the function is of one of the libraries."""
        symbols = list(self.resolver.resolve_all(one.owner, one.path, one.function))
        names = [name for symbol in symbols for name in self._origins(symbol)]
        if names:
            return any(name.partition(".")[0] in one.libraries for name in names)
        imported = {statement.module.partition(".")[0] for statement in self.modules[one.path].imports}
        last = one.owner.rpartition(".")[2]
        return any(
            library in imported and (pattern := _OWNERS.get(library)) is not None and pattern.search(last) is not None
            for library in one.libraries
        )

    def _origins(self, symbol: Symbol) -> Iterator[str]:
        """Yield the full names of the library's classes and functions that made an object."""
        if symbol.kind is SymbolKind.EXTERNAL:
            yield symbol.name
        elif symbol.kind is SymbolKind.VALUE:
            for made_by in self.resolver.resolve_all(symbol.callee, symbol.path, symbol.scope):
                if made_by.kind is SymbolKind.CLASS:
                    yield from self._bases(made_by)
                elif made_by.kind is SymbolKind.EXTERNAL:
                    yield made_by.name

    def _bases(self, symbol: Symbol) -> Iterator[str]:
        facts = self.resolver.class_of(symbol)
        for base in () if facts is None else facts.bases:
            for parent in self.resolver.resolve_all(base, symbol.path):
                if parent.kind is SymbolKind.EXTERNAL:
                    yield parent.name
