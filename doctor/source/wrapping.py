"""What a function gives back when it is used as a decorator, read from its ``return`` statements.

The result is symbolic, because a decorator may hand on to another one (``return tenacity.retry(stop=…)(function)``)
that only :mod:`doctor.source.resolve` can find. Where a decorator looks at its argument first (``if
isinstance(task, …): return task``) nothing is claimed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from doctor.source.expressions import FunctionNode, dotted, parameters, unwrapped
from doctor.source.libraries import VERBS
from doctor.source.module_facts import Definition, Term, TermKind

_WRAPS = "wraps"
"""The last part of the name: the module may be imported as anything (``six.wraps`` does the same)."""

_UPDATES = "update_wrapper"
_NAMES = frozenset({"__name__", "__qualname__", "__module__", "__dict__"})
_PARTIAL = frozenset({"partial", "functools.partial"})
_PROXIES = frozenset({"wrapt.FunctionWrapper", "wrapt.ObjectProxy", "wrapt.CallableObjectProxy", "wrapt.decorator"})
_CONTEXT_MANAGERS = frozenset(
    {"contextmanager", "contextlib.contextmanager", "asynccontextmanager", "contextlib.asynccontextmanager"}
)
_DEPTH = 6

OPAQUE = Term(TermKind.OPAQUE)
TRANSPARENT = Term(TermKind.TRANSPARENT)
UNKNOWN = Term(TermKind.UNKNOWN)


@dataclass(slots=True)
class Body:
    """What matters of a function's own statements; ``returns`` go with the conditions around them."""

    node: FunctionNode
    returns: list[tuple[ast.expr, tuple[ast.expr, ...]]] = field(default_factory=list)
    nested: dict[str, Body] = field(default_factory=dict)
    assigned: dict[str, ast.expr] = field(default_factory=dict)
    attached: set[str] = field(default_factory=set)
    """Local names to which a method of tasks is attached: ``wrapper.kiq = function.kiq``."""
    handed: set[str] = field(default_factory=set)
    """Local names that a call is given, or whose name is set: it may take the name over."""
    together: list[frozenset[str]] = field(default_factory=list)
    """Names that one call is given: ``copy_methods(function, wrapper)`` may do anything to the wrapper."""
    wraps: bool = False
    yields: bool = False

    def note_assignment(self, target: ast.expr, value: ast.expr) -> None:
        """Remember ``name = value``, ``name.kiq = value`` and ``name.__name__ = value``."""
        if isinstance(target, ast.Name):
            self.assigned[target.id] = value
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            if target.attr in VERBS:
                self.attached.add(target.value.id)
            elif target.attr in _NAMES:
                self.handed.add(target.value.id)
        elif isinstance(target, ast.Subscript):
            key = target.slice.value if isinstance(target.slice, ast.Constant) else None
            if key is None or key in VERBS:
                self.attached.update(_whose_namespace(target.value))
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._note_parts(target.elts, value)

    def _note_parts(self, targets: list[ast.expr], value: ast.expr) -> None:
        if isinstance(value, (ast.Tuple, ast.List)) and len(targets) == len(value.elts):
            for one, its_value in zip(targets, value.elts, strict=True):
                self.note_assignment(one, its_value)
        else:  # of a name, nothing is known then
            for one in targets:
                if not isinstance(one, ast.Name):
                    self.note_assignment(one, value)

    def note_call(self, call: ast.Call, name: str) -> None:
        """Remember what a call says about wrapping."""
        if _last(name) in (_WRAPS, _UPDATES):
            self.wraps = True
        elif name == "setattr" and call.args and isinstance(call.args[0], ast.Name):
            self.attached.add(call.args[0].id)
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "update" and _gives_methods(call):
            self.attached.update(_whose_namespace(call.func.value))
        given = (*call.args, *(keyword.value for keyword in call.keywords))
        names = frozenset(value.id for value in given if isinstance(value, ast.Name))
        self.handed.update(names)
        if len(names) > 1 and _last(name) not in (_WRAPS, _UPDATES):
            self.together.append(names)
        self.handed.update(name.split(".")[:1] if "__dict__" in name else ())

    @property
    def keeps_name(self) -> bool:
        """Whether any wrapper in here takes over the name of what it wraps."""
        return self.wraps or any(inner.keeps_name for inner in self.nested.values())


def definition_of(body: Body, *, is_method: bool = False) -> Definition:
    """Return what ``@function`` and ``@function(…)`` give."""
    decorators = {dotted(_callee(decorator)) for decorator in body.node.decorator_list}
    if "wrapt.decorator" in decorators:
        return Definition((TRANSPARENT,), (TRANSPARENT,))
    if decorators & _CONTEXT_MANAGERS:
        # The standard library lets such a context manager decorate: it wraps, with functools.wraps.
        return Definition((UNKNOWN,), (OPAQUE,), keeps_name=True)
    if isinstance(body.node, ast.AsyncFunctionDef) or body.yields:
        return Definition((UNKNOWN,), (UNKNOWN,))
    bound = is_method and "staticmethod" not in decorators
    return Definition(_applied(body, is_method=bound), _called(body), body.keeps_name)


def definition_of_class(call: Body | None, *, looks_like_target: bool) -> Definition:
    """Return what a class gives: ``@Class`` an instance, ``@Class(…)`` whatever ``__call__`` returns.

    ``looks_like_target`` is true for a class that may answer for the object it holds: with ``__getattr__`` or a base.
    """
    applied = (UNKNOWN,) if call is None or looks_like_target else (OPAQUE,)
    if call is None or isinstance(call.node, ast.AsyncFunctionDef):
        return Definition(applied, (UNKNOWN,))
    return Definition(applied, _applied(call, is_method=True), call.keeps_name)


def _applied(body: Body, *, is_method: bool = False) -> tuple[Term, ...]:
    names = parameters(body.node)[1 if is_method else 0 :]
    if not names or not body.returns:
        return (UNKNOWN,)
    reader = _Reader(body, names[0])
    values = [(value, tests) for value, tests in body.returns if not reader.is_factory_branch(value)]
    return _unique([term for value, tests in values for term in reader.terms(value, tests, _DEPTH)])


def _called(body: Body) -> tuple[Term, ...]:
    terms: list[Term] = []
    for value, _ in body.returns:
        terms += _called_terms(body, unwrapped(value), _DEPTH)
    known = [term for term in terms if term.kind is not TermKind.UNKNOWN]
    return _unique(known or terms)


def _called_terms(body: Body, value: ast.expr, depth: int) -> list[Term]:
    if depth == 0:
        return [UNKNOWN]
    if isinstance(value, ast.IfExp):
        branches = (unwrapped(value.body), unwrapped(value.orelse))
        return [term for branch in branches for term in _called_terms(body, branch, depth - 1)]
    if isinstance(value, ast.Name):
        if value.id in body.nested:
            inner = body.nested[value.id]
            return list(definition_of(inner).applied)
        assigned = body.assigned.get(value.id)
        return [UNKNOWN] if assigned is None else _called_terms(body, unwrapped(assigned), depth - 1)
    if isinstance(value, ast.Lambda) and parameters(value):
        reader = _Reader(body, parameters(value)[0])
        return reader.terms(value.body, (), _DEPTH)
    if isinstance(value, ast.Call):
        name = dotted(value.func)
        if name in _PARTIAL and value.args:
            return [Term(TermKind.AS_APPLIED, dotted(value.args[0]))]
        if name not in body.nested and not isinstance(value.func, ast.Call):
            return [Term(TermKind.AS_CALLED, name)]
    return [UNKNOWN]


class _Reader:
    """Reads what is returned for the decorated object, which has the name ``given``."""

    def __init__(self, body: Body, given: str) -> None:
        self.body = body
        self.given = given
        self.hands_on = {
            dotted(value.func)
            for returned, _ in body.returns
            for value in _branches(returned)
            if isinstance(value, ast.Call) and self._gives(value)
        }

    def is_factory_branch(self, value: ast.expr) -> bool:
        """Tell whether this ``return`` serves ``@name(…)`` in a decorator that can be used both ways."""
        value = unwrapped(value)
        if isinstance(value, ast.Name):
            return value.id in self.hands_on
        own = self.body.node.name
        if isinstance(value, ast.Call) and dotted(value.func) in _PARTIAL and value.args:
            return dotted(value.args[0]) == own
        return isinstance(value, ast.Lambda) and isinstance(value.body, ast.Call) and dotted(value.body.func) == own

    def terms(self, value: ast.expr, tests: Sequence[ast.expr], depth: int) -> list[Term]:
        """Return what ``value`` can be; ``tests`` are the conditions under which it is returned."""
        value = unwrapped(value)
        if depth == 0:
            return [UNKNOWN]
        if isinstance(value, ast.IfExp):
            return self.terms(value.body, (value.test,), depth - 1) + self.terms(value.orelse, (value.test,), depth - 1)
        if isinstance(value, ast.Lambda):
            return [OPAQUE]
        if isinstance(value, ast.Name):
            return self._name(value.id, tests, depth)
        if isinstance(value, ast.Call):
            return self._call(value, tests, depth)
        return [UNKNOWN]

    def _name(self, name: str, tests: Sequence[ast.expr], depth: int) -> list[Term]:
        if name in self.body.attached:
            return [TRANSPARENT]
        if name == self.given:
            return [UNKNOWN if any(_asks_about(test, name) for test in tests) else TRANSPARENT]
        if name in self.body.nested:
            inspected = any(_asks_kind(test, self.given) for test in tests) or any(
                {name, self.given} <= names for names in self.body.together
            )
            return [UNKNOWN if inspected else _wrapper(self.body, name)]
        assigned = self.body.assigned.get(name)
        return [UNKNOWN] if assigned is None else self.terms(assigned, tests, depth - 1)

    def _call(self, call: ast.Call, tests: Sequence[ast.expr], depth: int) -> list[Term]:
        name = dotted(call.func)
        if _last(name) == _UPDATES and call.args:
            return self.terms(call.args[0], tests, depth - 1)
        if isinstance(call.func, ast.Call):
            inner = dotted(call.func.func)
            if _last(inner) == _WRAPS and call.args:
                return self.terms(call.args[0], tests, depth - 1)
            return [Term(TermKind.AS_CALLED, inner)] if self._gives(call) else [UNKNOWN]
        if name in _PROXIES:
            return [TRANSPARENT]
        if not self._gives(call):
            return [UNKNOWN]
        if name in _PARTIAL:
            return [OPAQUE]
        if name in self.body.nested:
            return list(definition_of(self.body.nested[name]).applied)
        return [Term(TermKind.AS_APPLIED, name)]

    def _gives(self, call: ast.Call) -> bool:
        return bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == self.given


def _wrapper(outer: Body, name: str) -> Term:
    """Return what a nested function is that gets returned: a plain wrapper, unless it is decorated itself."""
    names = [dotted(_callee(decorator)) for decorator in outer.nested[name].node.decorator_list]
    if any(decorator in _PROXIES for decorator in names):
        return TRANSPARENT
    if not names and not outer.keeps_name and name not in outer.handed:
        return Term(TermKind.OPAQUE, wrapper=name)
    return OPAQUE if all(_last(decorator) == _WRAPS for decorator in names) else UNKNOWN


def _branches(value: ast.expr) -> list[ast.expr]:
    value = unwrapped(value)
    return [*_branches(value.body), *_branches(value.orelse)] if isinstance(value, ast.IfExp) else [value]


def _asks_about(test: ast.expr, name: str) -> bool:
    """Tell whether a condition looks at the decorated object itself, other than for being None."""
    if isinstance(test, ast.Compare) and all(isinstance(operator, (ast.Is, ast.IsNot)) for operator in test.ops):
        return False
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(test))


def _asks_kind(test: ast.expr, name: str) -> bool:
    """Tell whether a condition asks what the decorated object is: ``isinstance`` or ``hasattr``."""
    return any(
        isinstance(node, ast.Call) and dotted(node.func) in ("isinstance", "hasattr") and _asks_about(node, name)
        for node in ast.walk(test)
    )


def _whose_namespace(node: ast.expr) -> Iterator[str]:
    """Yield the name of the object in ``name.__dict__`` and ``vars(name)``."""
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        yield from (node.value.id,) if isinstance(node.value, ast.Name) else ()
    elif isinstance(node, ast.Call) and dotted(node.func) == "vars":
        yield from (value.id for value in node.args if isinstance(value, ast.Name))


def _gives_methods(update: ast.Call) -> bool:
    """Tell whether a namespace is updated with methods of tasks, or with what nobody can read."""
    literal = [
        key.value
        for one in update.args
        if isinstance(one, ast.Dict)
        for key in one.keys
        if isinstance(key, ast.Constant)
    ]
    keywords = [keyword.arg for keyword in update.keywords]
    return None in keywords or any(name in VERBS for name in (*literal, *keywords))


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _callee(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _unique(terms: list[Term]) -> tuple[Term, ...]:
    return tuple(dict.fromkeys(terms)) or (UNKNOWN,)
