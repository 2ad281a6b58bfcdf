"""What one file says by itself: names as written, nothing resolved.

A pure function of the file's content, so it can be kept by content hash. :mod:`doctor.source.resolve` follows the
names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from doctor.source.facts import MODULE_LEVEL, LogCall, Outcome


class BindingKind(Enum):
    """How a name got its value."""

    MODULE = auto()
    """``import a.b as name``: ``module`` is ``a.b``."""
    IMPORTED = auto()
    """``from module import attribute as name``; ``level`` counts the leading dots."""
    ALIAS = auto()
    """``name = a.b``: ``attribute`` is ``a.b``."""
    PRODUCED = auto()
    """``name = a.B(…)``: ``attribute`` is the callee ``a.B``; also the annotation of ``name: a.B``."""
    DEFINED = auto()
    """``def`` or ``class``: ``attribute`` is the qualified name."""
    OTHER = auto()
    """A parameter, a loop variable, any other expression: nothing is known."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One way in which a name is bound; a name that is bound conditionally has several."""

    kind: BindingKind
    attribute: str = ""
    module: str = ""
    level: int = 0


Bindings: TypeAlias = dict[str, tuple[Binding, ...]]


class TermKind(Enum):
    """What one ``return`` of a decorator gives back."""

    TRANSPARENT = auto()
    OPAQUE = auto()
    UNKNOWN = auto()
    AS_APPLIED = auto()
    """Whatever ``@name`` gives."""
    AS_CALLED = auto()
    """Whatever ``@name(…)`` gives."""


@dataclass(frozen=True, slots=True)
class Term:
    """One possible result; ``name`` is another decorator, as written, or empty.

    ``wrapper`` is the function that an opaque one returns, when it does not take over the name of what it wraps.
    """

    kind: TermKind
    name: str = ""
    wrapper: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a function or class does when it is used as a decorator: ``@name`` and ``@name(…)``."""

    applied: tuple[Term, ...]
    called: tuple[Term, ...]
    keeps_name: bool = False


@dataclass(frozen=True, slots=True)
class RawDecorator:
    """A decorator as written; ``argument`` is its first argument if that is a string, ``methods`` the HTTP methods."""

    text: str
    name: str
    line: int
    end_line: int
    is_call: bool
    argument: str | None = None
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function: its decorators, the names it binds, and what a call of it does.

    ``calls`` are the callees as written, each with the line of its first call, without log calls, plain formatting and
    the standard conversions. Of these, ``awaited`` are waited for as coroutines, and ``deferred`` stand only in
    lambdas. ``made`` are the classes that it calls, ``assigned`` the attributes of objects that it gives a value.
    """

    qualname: str
    line: int
    is_async: bool
    decorators: tuple[RawDecorator, ...]
    bindings: Bindings
    calls: dict[str, int]
    raises: bool
    writes: bool
    definition: Definition | None
    last_line: int = 0
    """The line behind which code at its end goes: that of the last statement, or before a ``return`` at the end."""
    indent: int = 4
    awaited: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()
    returns: str = ""
    """The annotation of what it returns, where that is a plain name."""


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class: its bases as written, what it does as a decorator, and the brokers that its body makes."""

    qualname: str
    line: int
    bases: tuple[str, ...]
    definition: Definition
    brokers: Bindings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawHandler:
    """A broad handler: what is certain from its own statements, and the ``calls`` on which the rest depends."""

    line: int
    caught: str
    outcome: Outcome
    calls: tuple[str, ...] = ()
    log: LogCall | None = None


@dataclass(frozen=True, slots=True)
class GuardedCall:
    """A call and the broad handlers around it, innermost first.

    ``verb`` is set for an enqueue, whose ``target`` is the task; otherwise ``target`` is the callee. ``in_loop``
    says that an endless loop will try again.
    """

    line: int
    function: str
    target: str
    text: str
    verb: str = ""
    handlers: tuple[RawHandler, ...] = ()
    in_loop: bool = False


@dataclass(frozen=True, slots=True)
class RawImport:
    """One import statement's module: ``from module import names`` or ``import module``.

    ``function`` is where it stands; empty for one that only a type checker sees.
    """

    module: str
    names: tuple[str, ...]
    level: int
    line: int
    text: str
    function: str = MODULE_LEVEL


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """Everything that one file says. ``functions`` has the last definition of each name, ``decorated`` all of them.

    ``bodies`` is what runs outside of functions: when the module is imported, and when it is the program.
    """

    path: str
    bindings: Bindings
    stars: tuple[Binding, ...] = ()
    functions: dict[str, FunctionFacts] = field(default_factory=dict)
    classes: dict[str, ClassFacts] = field(default_factory=dict)
    decorated: tuple[FunctionFacts, ...] = ()
    enqueues: tuple[GuardedCall, ...] = ()
    guarded_calls: tuple[GuardedCall, ...] = ()
    imports: tuple[RawImport, ...] = ()
    calls: dict[str, int] = field(default_factory=dict)
    """What the module itself calls when it is imported or run, as :attr:`FunctionFacts.calls`."""
    bodies: tuple[FunctionFacts, ...] = ()
