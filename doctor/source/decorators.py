"""What a decorator is: the registrar of a task queue, and what it makes of the object below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from doctor.source.facts import MODULE_LEVEL, DecoratedFunction, DecoratorUse, Wrapping
from doctor.source.libraries import known_wrapping
from doctor.source.module_facts import FunctionFacts, RawDecorator, Term, TermKind
from doctor.source.registrars import Registrars
from doctor.source.resolve import Resolver, Symbol, SymbolKind
from doctor.source.vector_names import makes_vectors, may_make_vectors

_DEPTH = 8
"""Decorators that hand on to other decorators are followed this far."""


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
        self.registrars = Registrars(resolver)

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
            assigned=() if registrar is None else function.assigned,
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
        library = self.registrars.library(raw.name, path, scope)
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
        definition = self.resolver.definition_of(symbol)
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


def enclosing_scope(qualname: str) -> str:
    """Return the qualified name of the function around a definition, or the module."""
    return qualname.rpartition(".<locals>.")[0] or MODULE_LEVEL


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
