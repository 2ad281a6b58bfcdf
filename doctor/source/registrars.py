"""Which task queue a decorator registers with: ``X.task`` of a broker, ``shared_task``, ``actor``."""

from __future__ import annotations

import re

from doctor.source.libraries import CELERY, HUEY, HUEY_METHODS, REGISTRARS, RQ, TASKIQ, Library
from doctor.source.module_facts import TermKind
from doctor.source.resolve import Resolver, Symbol, SymbolKind

_DEPTH = 8
"""Decorators that hand on to other decorators are followed this far."""

_FACTORIES = 3
"""Functions that make an object by calling one another are followed this far."""

_METHODS = {
    **dict.fromkeys(HUEY_METHODS, frozenset({HUEY})),
    "task": frozenset({TASKIQ, CELERY, HUEY}),
    "periodic_task": frozenset({CELERY, HUEY}),
    "job": frozenset({RQ}),
}
"""Methods that register a task, and whose objects have them; ``periodic_task`` is that of old Celery, and lives on in
subclasses."""

_BY_NAME = (
    (re.compile("broker", re.IGNORECASE), TASKIQ),
    (re.compile("celery", re.IGNORECASE), CELERY),
    (re.compile("huey", re.IGNORECASE), HUEY),
)

_FLASK_RQ = "flask_rq2.RQ"
"""An extension of Flask with a ``job`` of its own."""


class Registrars:
    """Recognises registrars through a resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def library(self, name: str, path: str, scope: str, depth: int = _DEPTH) -> Library | None:
        """Return the task queue that ``@name`` registers with: ``X.task`` of a broker, ``shared_task``, ``actor``."""
        symbols = list(self.resolver.resolve_all(name, path, scope)) if depth else []
        found = (self._library_of(symbol, depth) for symbol in symbols)
        library = next((one for one in found if one is not None), None)
        return library if library is not None or symbols else _library_by_name(name)

    def _library_of(self, symbol: Symbol, depth: int) -> Library | None:
        if symbol.kind is SymbolKind.EXTERNAL:
            return REGISTRARS.get(symbol.name) or _library_by_name(symbol.name)
        method = symbol.attribute.rpartition(".")[2]
        if symbol.kind is SymbolKind.VALUE and method in _METHODS:
            if symbol.attribute == method:
                library = self._library_of_object(symbol)
            else:  # of an object that is an attribute of its class
                library = self._library_of_attribute(symbol, depth)
            if library in _METHODS[method]:
                return library
            return _library_by_name(f"{symbol.name}.{symbol.attribute}") or self._library_by_module(symbol)
        if symbol.kind is SymbolKind.FUNCTION:
            # The library itself may stand in the tree, as in a monorepo.
            known = REGISTRARS.get(self.resolver.identity(symbol))
            return known or self._library_handed_on(symbol, depth)
        return None

    def _library_handed_on(self, symbol: Symbol, depth: int) -> Library | None:
        """Follow ``def background(**options): return broker.task(**options)``."""
        definition = self.resolver.definition_of(symbol)
        terms = () if definition is None else definition.called + definition.applied
        names = [term.name for term in terms if term.name]
        found = (self.library(name, symbol.path, symbol.name, depth - 1) for name in names)
        return next((one for one in found if one is not None), None)

    def _library_by_module(self, symbol: Symbol) -> Library | None:
        """Tell by the module that makes an object of unknown kind: ``from project.celery import app``."""
        module = self.resolver.names.name_of(symbol.path)
        return _library_by_name(f"{module}.{symbol.attribute}") if "." not in symbol.attribute else None

    def _library_of_object(self, symbol: Symbol) -> Library | None:
        library = _library_by_class(symbol.callee)
        if library is not None:
            return library
        made_by = self.resolver.resolve(symbol.callee, symbol.path, symbol.scope)
        if made_by is None:
            return None
        if made_by.kind is SymbolKind.FUNCTION:
            return self._library_of_factory(made_by, _FACTORIES)
        return _library_by_class(made_by.name) or self._library_of_bases(made_by, depth=3)

    def _library_of_attribute(self, symbol: Symbol, depth: int) -> Library | None:
        """Follow ``queues = Queues()`` and then ``queues.bus.task``."""
        made_by = self.resolver.resolve(symbol.callee, symbol.path, symbol.scope)
        if self.resolver.class_of(made_by) is None:
            return None
        return self.library(f"{symbol.callee}.{symbol.attribute}", symbol.path, symbol.scope, depth - 1)

    def _library_of_factory(self, symbol: Symbol, depth: int) -> Library | None:
        """Tell what a function of the target makes: by its annotation, or by what it returns."""
        function = self.resolver.function(symbol)
        if function is None or depth == 0:
            return None
        terms = () if function.definition is None else function.definition.called
        called = [term.name.partition("(")[0] for term in terms if term.kind is TermKind.AS_CALLED]
        for name in filter(None, (function.returns, *called)):
            made_by = self.resolver.resolve(name, symbol.path, symbol.name)
            library = _library_by_class(name)
            if library is None and made_by is not None:
                library = _library_by_class(made_by.name) or self._library_of_bases(made_by, depth=3)
            if library is None and made_by is not None and made_by.kind is SymbolKind.FUNCTION:
                library = self._library_of_factory(made_by, depth - 1)
            if library is not None:
                return library
        return None

    def _library_of_bases(self, symbol: Symbol, depth: int) -> Library | None:
        facts = self.resolver.class_of(symbol)
        for base in () if facts is None or depth == 0 else facts.bases:
            library = _library_by_class(base)
            parent = self.resolver.resolve(base, symbol.path)
            if library is None and parent is not None:
                library = _library_by_class(parent.name) or self._library_of_bases(parent, depth - 1)
            if library is not None:
                return library
        return None


def _library_by_name(dotted: str) -> Library | None:
    """Tell by the name alone, when nobody can say what the object is: ``some_broker.task``."""
    owner, _, last = dotted.rpartition(".")
    if last not in _METHODS or not owner:
        return None
    if owner.startswith("celery."):
        return CELERY if last == "task" else None
    name = owner.rpartition(".")[2]
    return next((one for pattern, one in _BY_NAME if one in _METHODS[last] and pattern.search(name)), None)


def _library_by_class(dotted: str) -> Library | None:
    parts = dotted.split(".")
    if any(part.endswith("Broker") for part in parts):
        return TASKIQ
    if "Celery" in parts:
        return CELERY
    if parts[0] == "huey" or parts[-1].endswith("Huey"):
        return HUEY
    return RQ if dotted == _FLASK_RQ else None
