"""Follows names across files: imports, aliases, re-exports, relative imports, names bound conditionally.

Files are read on demand, so that the definition of a decorator is found in a file that neither registers nor enqueues.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from doctor.source.facts import MODULE_LEVEL
from doctor.source.module_facts import (
    Binding,
    BindingKind,
    ClassFacts,
    Definition,
    FunctionFacts,
    ModuleFacts,
)
from doctor.source.module_names import ModuleNames

_DEPTH = 24
"""Steps from name to name after which a name counts as unresolved."""

_BASES = 4
"""Classes above a class in which a method is looked for."""


_HARMLESS = frozenset({"staticmethod", "classmethod", "overload", "typing.overload", "cache", "lru_cache"})
_READ = frozenset({"wrapt.decorator", "contextmanager", "asynccontextmanager"})
"""Decorators of a decorator that leave it what it is, and those that are read with its body."""


class SymbolKind(Enum):
    """What a name turned out to be."""

    FUNCTION = auto()
    CLASS = auto()
    VALUE = auto()
    """What a call returned, or an ``attribute`` of it; ``name`` is the name it was given, ``callee`` who was called."""
    MODULE = auto()
    EXTERNAL = auto()
    """Of a library: ``name`` is the full dotted name."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something a name stands for. ``path`` and ``scope`` (the function, or the module) are where it is defined."""

    kind: SymbolKind
    name: str
    path: str = ""
    scope: str = MODULE_LEVEL
    callee: str = ""
    attribute: str = ""


class Resolver:
    """Resolves names. ``load`` returns the facts of a file, or None for one that cannot be parsed."""

    def __init__(self, names: ModuleNames, load: Callable[[str], ModuleFacts | None]) -> None:
        self.names = names
        self.load = load

    def function(self, symbol: Symbol | None) -> FunctionFacts | None:
        """Return the function that a symbol is, or None."""
        module = None if symbol is None or symbol.kind is not SymbolKind.FUNCTION else self.load(symbol.path)
        return None if module is None or symbol is None else module.functions.get(symbol.name)

    def class_of(self, symbol: Symbol | None) -> ClassFacts | None:
        """Return the class that a symbol is, or None."""
        module = None if symbol is None or symbol.kind is not SymbolKind.CLASS else self.load(symbol.path)
        return None if module is None or symbol is None else module.classes.get(symbol.name)

    def definition_of(self, symbol: Symbol) -> Definition | None:
        """Return what a symbol does as a decorator; None when that is not certain."""
        facts = self.class_of(symbol)
        if facts is not None:
            return facts.definition
        function = self.function(symbol)
        if function is None:
            return None
        # A decorator on the decorator may turn it into anything; those read with its body may not.
        names = {raw.name for raw in function.decorators} | {
            raw.name.rpartition(".")[2] for raw in function.decorators if raw.name != "wrapt.decorator"
        }
        return (
            function.definition if all(n in _HARMLESS | _READ or n.rpartition(".")[2] in _READ for n in names) else None
        )

    def method(self, owner: Symbol | None, name: str, *, inherited_only: bool = False) -> tuple[str, str] | None:
        """Return path and qualified name of a class's method, its own or that of a base; None when it is not known."""
        return self._method(owner, name, _BASES, inherited_only=inherited_only)

    def _method(
        self, owner: Symbol | None, name: str, depth: int, *, inherited_only: bool = False
    ) -> tuple[str, str] | None:
        facts = self.class_of(owner)
        module = None if owner is None or facts is None else self.load(owner.path)
        if owner is None or facts is None or module is None or depth == 0:
            return None
        if f"{facts.qualname}.{name}" in module.functions and not inherited_only:
            return owner.path, f"{facts.qualname}.{name}"
        bases = (self.resolve(base, owner.path) for base in facts.bases)
        return next((found for base in bases if (found := self._method(base, name, depth - 1))), None)

    def identity(self, symbol: Symbol) -> str:
        """Return ``module.name`` for what the target defines, the dotted name for what a library does."""
        if symbol.kind is SymbolKind.EXTERNAL:
            return symbol.name
        module = self.names.name_of(symbol.path)
        return (
            module
            if symbol.kind is SymbolKind.MODULE
            else ".".join(filter(None, (module, symbol.name, symbol.attribute)))
        )

    def resolve(self, dotted: str, path: str, scope: str = MODULE_LEVEL) -> Symbol | None:
        """Return what ``dotted`` stands for in the function ``scope`` of the file ``path``; None when unknown."""
        return next(self.resolve_all(dotted, path, scope), None)

    def resolve_all(self, dotted: str, path: str, scope: str = MODULE_LEVEL) -> Iterator[Symbol]:
        """Yield everything that ``dotted`` can stand for: a name bound conditionally has several meanings."""
        if "(" not in dotted and "?" not in dotted:
            yield from self._resolve(tuple(dotted.split(".")), path, scope, _DEPTH)

    def absolute(self, dotted: str, path: str) -> Iterator[Symbol]:
        """Yield what an absolute dotted name such as ``app.jobs.clean`` stands for, as the file ``path`` imports it."""
        yield from self._module(tuple(dotted.split(".")), path, _DEPTH)

    def definition(self, dotted: str, path: str, scope: str = MODULE_LEVEL) -> tuple[str, str] | None:
        """Return the file and the name there of what ``dotted`` stands for, also of a constant; None when unknown."""
        owner, _, name = dotted.rpartition(".")
        if owner:
            around = self.resolve(owner, path, scope)
            return (around.path, name) if around is not None and around.kind is SymbolKind.MODULE else None
        module = self.load(path)
        if module is None:
            return None
        for holder in _enclosing(scope):
            facts = module.functions.get(holder)
            if facts is not None and name in facts.bindings:
                return self._source_of(facts.bindings[name], path, _DEPTH)
        return self._place_in(name, path, _DEPTH)

    def _place_in(self, name: str, path: str, depth: int) -> tuple[str, str] | None:
        module = self.load(path)
        bindings = () if module is None or depth == 0 else module.bindings.get(name, ())
        return self._source_of(bindings, path, depth) or ((path, name) if bindings else None)

    def _source_of(self, bindings: tuple[Binding, ...], path: str, depth: int) -> tuple[str, str] | None:
        """Return where an imported name is defined."""
        for binding in bindings:
            source = self._file(binding, path) if binding.kind is BindingKind.IMPORTED else None
            if source is not None:
                return self._place_in(binding.attribute, source, depth - 1)
        return None

    def _resolve(self, parts: tuple[str, ...], path: str, scope: str, depth: int) -> Iterator[Symbol]:
        module = self.load(path)
        if module is None or depth == 0:
            return
        for holder in _enclosing(scope):
            bindings = (module.functions[holder].bindings if holder in module.functions else {}).get(parts[0])
            if bindings is not None:
                for binding in bindings:
                    yield from self._follow(binding, parts, path, holder, depth - 1)
                return
        found = list(self._member(parts, path, depth - 1))
        yield from found
        if not found and len(parts) == 1 and hasattr(builtins, parts[0]):
            yield Symbol(SymbolKind.EXTERNAL, f"builtins.{parts[0]}")

    def _member(self, parts: tuple[str, ...], path: str, depth: int) -> Iterator[Symbol]:
        """Resolve ``parts`` as a name of the module ``path``, seen from inside or outside."""
        module = self.load(path)
        if module is None or depth <= 0:
            return
        if not parts:
            yield Symbol(SymbolKind.MODULE, self.names.name_of(path), path)
            return
        if parts[0] in module.bindings:
            for binding in module.bindings[parts[0]]:
                yield from self._follow(binding, parts, path, MODULE_LEVEL, depth - 1)
            return
        inside = self.names.submodule(path, parts[0])
        if inside is not None:
            yield from self._member(parts[1:], inside, depth - 1)
            return
        for star in module.stars:
            source = self._file(star, path)
            if source is not None and (found := list(self._member(parts, source, depth - 1))):
                yield from found
                return

    def _follow(self, binding: Binding, parts: tuple[str, ...], path: str, scope: str, depth: int) -> Iterator[Symbol]:
        rest = parts[1:]
        if binding.kind is BindingKind.DEFINED:
            yield from self._defined(binding.attribute, rest, path)
        elif binding.kind is BindingKind.ALIAS:
            target = tuple(binding.attribute.split("."))
            if target != parts[: len(target)] and "?" not in binding.attribute and "(" not in binding.attribute:
                yield from self._resolve((*target, *rest), path, scope, depth - 1)
        elif binding.kind is BindingKind.PRODUCED:
            yield Symbol(SymbolKind.VALUE, parts[0], path, scope, binding.attribute, ".".join(rest))
        elif binding.kind is BindingKind.IMPORTED:
            yield from self._imported(binding, rest, path, depth)
        elif binding.kind is BindingKind.MODULE:
            yield from self._module((*binding.module.split("."), *rest), path, depth)

    def _defined(self, qualname: str, rest: tuple[str, ...], path: str) -> Iterator[Symbol]:
        module = self.load(path)
        if module is None:
            return
        name = ".".join((qualname, *rest))
        if name in module.functions:
            yield Symbol(SymbolKind.FUNCTION, name, path)
        elif name in module.classes:
            yield Symbol(SymbolKind.CLASS, name, path)
        elif rest and qualname in module.classes:
            for binding in module.classes[qualname].brokers.get(rest[0], ()):
                yield Symbol(SymbolKind.VALUE, rest[0], path, MODULE_LEVEL, binding.attribute, ".".join(rest[1:]))

    def _imported(self, binding: Binding, rest: tuple[str, ...], path: str, depth: int) -> Iterator[Symbol]:
        source = self._file(binding, path)
        if source is not None:
            yield from self._member((binding.attribute, *rest), source, depth - 1)
        elif binding.level == 0:
            yield from self._module((*binding.module.split("."), binding.attribute, *rest), path, depth)
        else:  # ``from .. import module`` out of a folder without __init__.py
            inside = self.names.find_relative(f"{binding.module}.{binding.attribute}".lstrip("."), binding.level, path)
            if inside is not None:
                yield from self._member(rest, inside, depth - 1)

    def _module(self, parts: tuple[str, ...], path: str, depth: int) -> Iterator[Symbol]:
        """Resolve an absolute dotted name: the longest prefix that is a file of the target, then its members."""
        for length in range(len(parts), 0, -1):
            source = self.names.find(".".join(parts[:length]), path)
            if source is not None:
                yield from self._member(parts[length:], source, depth - 1)
                return
        yield Symbol(SymbolKind.EXTERNAL, ".".join(parts))

    def _file(self, binding: Binding, path: str) -> str | None:
        if binding.level:
            return self.names.find_relative(binding.module, binding.level, path)
        return self.names.find(binding.module, path)


def _enclosing(scope: str) -> Iterator[str]:
    """Yield the qualified names of a function and of the functions around it, innermost first."""
    while scope != MODULE_LEVEL and scope:
        yield scope
        scope = scope.rpartition(".<locals>.")[0]
