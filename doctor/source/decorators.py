"""What a decorator is: the registrar of a task queue, and what it makes of the object below it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from doctor.source.facts import MODULE_LEVEL, DecoratedFunction, DecoratorUse, Wrapping
from doctor.source.libraries import (
    CELERY,
    HUEY,
    HUEY_METHODS,
    REGISTRARS,
    RQ,
    TASKIQ,
    Library,
    known_wrapping,
)
from doctor.source.module_facts import Definition, FunctionFacts, RawDecorator, Term, TermKind
from doctor.source.resolve import Resolver, Symbol, SymbolKind
from doctor.source.vector_names import makes_vectors, may_make_vectors

_DEPTH = 8
"""Decorators that hand on to other decorators are followed this far."""

_FACTORIES = 3
"""Functions that make an object by calling one another are followed this far."""

_HARMLESS = frozenset({"staticmethod", "classmethod", "overload", "typing.overload", "cache", "lru_cache"})
_READ = frozenset({"wrapt.decorator", "contextmanager", "asynccontextmanager"})
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


@dataclass(frozen=True, slots=True)
class _Effect:
    wrapping: Wrapping
    keeps_name: bool = False
    wrapper: str | None = None


_NOTHING_KNOWN = _Effect(Wrapping.UNKNOWN)


class Decorators:
    """Reads decorators through a resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def read(self, function: FunctionFacts, path: str) -> DecoratedFunction:
        """Return a function with its decorators resolved."""
        scope = enclosing_scope(function.qualname)
        uses = tuple(self._use(raw, path, scope) for raw in function.decorators)
        registrar = next((index for index, use in enumerate(uses) if use.library is not None), None)
        name = function.qualname.rpartition(".")[2]
        return DecoratedFunction(
            module=self.resolver.names.name_of(path),
            name=name,
            qualname=function.qualname,
            path=path,
            line=function.line,
            is_async=function.is_async,
            decorators=uses,
            registrar=registrar,
            last_line=function.last_line,
            indent=function.indent,
            makes_vectors=registrar is not None
            and may_make_vectors(name)
            and makes_vectors(name, self._named_in(function, path)),
        )

    def _named_in(self, function: FunctionFacts, path: str) -> Iterator[str]:
        """Yield what the body of a function calls and binds, and where that is imported from."""
        yield from function.bindings
        module = self.resolver.load(path)
        imported = {} if module is None else module.bindings
        for call in (*function.calls, *function.made):
            yield call
            first = call.partition(".")[0].removesuffix("()")
            for binding in (*function.bindings.get(first, ()), *imported.get(first, ())):
                yield f"{binding.module}.{binding.attribute}"

    def _use(self, raw: RawDecorator, path: str, scope: str) -> DecoratorUse:
        symbol = self.resolver.resolve(raw.name, path, scope)
        library = self._library(raw.name, path, scope, _DEPTH)
        effect = _Effect(Wrapping.TRANSPARENT) if library else self._effect(raw.name, raw.is_call, path, scope, _DEPTH)
        return DecoratorUse(
            text=raw.text,
            name=raw.name,
            resolved=raw.name if symbol is None else self.resolver.identity(symbol),
            line=raw.line,
            end_line=raw.end_line,
            is_call=raw.is_call,
            wrapping=effect.wrapping,
            keeps_name=effect.keeps_name,
            wrapper=effect.wrapper,
            definition=self._place(symbol),
            library=None if library is None else library.name,
        )

    def _place(self, symbol: Symbol | None) -> str | None:
        found = self.resolver.function(symbol) or self.resolver.class_of(symbol)
        return None if found is None or symbol is None else f"{symbol.path}:{found.line}"

    # Registrars

    def _library(self, name: str, path: str, scope: str, depth: int) -> Library | None:
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
        definition = self._definition(symbol)
        terms = () if definition is None else definition.called + definition.applied
        names = [term.name for term in terms if term.name]
        found = (self._library(name, symbol.path, symbol.name, depth - 1) for name in names)
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
        return self._library(f"{symbol.callee}.{symbol.attribute}", symbol.path, symbol.scope, depth - 1)

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

    # Wrapping

    def _effect(self, name: str, is_call: bool, path: str, scope: str, depth: int) -> _Effect:
        known = known_wrapping(name)
        symbols = list(self.resolver.resolve_all(name, path, scope)) if depth else []
        if not symbols:
            return _NOTHING_KNOWN if known is None else _Effect(known, keeps_name=True)
        return _same(self._effect_of(symbol, is_call, depth) for symbol in symbols)

    def _effect_of(self, symbol: Symbol, is_call: bool, depth: int) -> _Effect:
        if symbol.kind is SymbolKind.EXTERNAL:
            known = known_wrapping(symbol.name)
            return _NOTHING_KNOWN if known is None else _Effect(known, keeps_name=True)
        if symbol.kind is SymbolKind.VALUE:
            if symbol.attribute:
                known = known_wrapping(f"{symbol.name}.{symbol.attribute}")
                return _NOTHING_KNOWN if known is None else _Effect(known, keeps_name=True)
            # ``retry = with_attempts(3)`` and then ``@retry``
            return self._effect(symbol.callee, True, symbol.path, symbol.scope, depth - 1)
        definition = self._definition(symbol)
        if definition is None:
            return _NOTHING_KNOWN
        terms = definition.called if is_call else definition.applied
        effect = _combined(self._effect_of_term(term, symbol, depth) for term in terms)
        keeps_name = effect.keeps_name or definition.keeps_name
        return _Effect(effect.wrapping, keeps_name, None if keeps_name else effect.wrapper)

    def _effect_of_term(self, term: Term, symbol: Symbol, depth: int) -> _Effect:
        if term.kind is TermKind.TRANSPARENT:
            return _Effect(Wrapping.TRANSPARENT, keeps_name=True)
        if term.kind is TermKind.OPAQUE:
            module = self.resolver.names.name_of(symbol.path)
            return _Effect(Wrapping.OPAQUE, wrapper=f"{module}:{term.wrapper}" if term.wrapper else None)
        if term.kind is TermKind.UNKNOWN or depth == 0:
            return _NOTHING_KNOWN
        scope = symbol.name if symbol.kind is SymbolKind.FUNCTION else MODULE_LEVEL
        return self._effect(term.name, term.kind is TermKind.AS_CALLED, symbol.path, scope, depth - 1)

    def _definition(self, symbol: Symbol) -> Definition | None:
        facts = self.resolver.class_of(symbol)
        if facts is not None:
            return facts.definition
        function = self.resolver.function(symbol)
        if function is None:
            return None
        # A decorator on the decorator may turn it into anything; those read with its body may not.
        names = {raw.name for raw in function.decorators} | {
            raw.name.rpartition(".")[2] for raw in function.decorators if raw.name != "wrapt.decorator"
        }
        return (
            function.definition if all(n in _HARMLESS | _READ or n.rpartition(".")[2] in _READ for n in names) else None
        )


def enclosing_scope(qualname: str) -> str:
    """Return the qualified name of the function around a definition, or the module."""
    return qualname.rpartition(".<locals>.")[0] or MODULE_LEVEL


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


def _same(effects: Iterable[_Effect]) -> _Effect:
    """Return the effect when all meanings of a name agree."""
    found = set(effects)
    return found.pop() if len(found) == 1 else _NOTHING_KNOWN


def _combined(effects: Iterable[_Effect]) -> _Effect:
    """Return what a decorator does whose returns have these effects: opaque when any path replaces the object."""
    found = list(effects)
    kinds = {effect.wrapping for effect in found}
    if not kinds or Wrapping.UNKNOWN in kinds:
        return _NOTHING_KNOWN
    opaque = [effect for effect in found if effect.wrapping is Wrapping.OPAQUE]
    if not opaque:
        return found[0]
    wrappers = {effect.wrapper for effect in found}
    wrapper = wrappers.pop() if len(wrappers) == 1 else None
    return _Effect(Wrapping.OPAQUE, all(effect.keeps_name for effect in opaque), wrapper)
