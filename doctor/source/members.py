"""What an expression names: an attribute of an object whose class is known here, or a variable of the module.

``self._ready`` in a method of ``Index``, ``index._ready`` beside ``index = Index()``, and ``Index._ready`` are one
:class:`Member`. What cannot be told is no member, which keeps a check silent.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeGuard

from doctor.source.collector import Module, own_nodes
from doctor.source.expressions import FunctionNode, dotted, parameters

EVENTS = frozenset({"threading.Event", "asyncio.Event"})


@dataclass(frozen=True, slots=True)
class Member:
    """``owner`` is a class of the module, or empty for the module itself."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else self.name


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the module. ``owner`` is the class whose object ``receiver`` (``self``) is; empty: none."""

    qualname: str
    owner: str
    receiver: str
    node: FunctionNode

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Its own nodes, without those of functions and classes in it."""
        return tuple(own_nodes(self.node))

    @property
    def member(self) -> Member:
        """The function as others of the module call it."""
        return Member(self.owner, self.node.name)

    @property
    def is_nested(self) -> bool:
        """Whether it stands inside another function."""
        return "<locals>" in self.qualname


class Members:
    """The functions of a module, and what the attributes of its classes are at first."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.classes = {node.name: node for node in module.tree.body if isinstance(node, ast.ClassDef)}
        self.functions = tuple(self._functions())
        self._by_member = {one.member: one for one in self.functions if not one.is_nested}
        self._by_qualname = {one.qualname: one for one in self.functions}
        self._objects = dict(self._instances(module.tree.body))
        self._locals: dict[FunctionNode, tuple[frozenset[str], dict[str, str]]] = {}
        self._attributes: dict[Member, str] = {}
        self._at_first: dict[Member, list[ast.expr]] = {}
        for function in self.functions:
            if function.owner and function.node.name == "__init__":
                self._read_attributes(function)
        for owner, body in (("", module.tree.body), *((name, node.body) for name, node in self.classes.items())):
            for name, value in _assigned(body):
                self._at_first.setdefault(Member(owner, name), []).append(value)

    def is_unset_at_first(self, member: Member) -> bool:
        """Whether a member is False, None or an event that nobody has set when its object is made."""
        values = self._at_first.get(member, [])
        return bool(values) and all(is_false(value) or self.is_event(value) for value in values)

    def is_event_at_first(self, member: Member) -> bool:
        """Whether a member is an event when its object is made."""
        return any(map(self.is_event, self._at_first.get(member, [])))

    def is_event(self, value: ast.expr) -> bool:
        """Whether an expression makes an event."""
        return isinstance(value, ast.Call) and self.module.origin(value.func) in EVENTS

    def of(self, node: ast.expr, function: Function) -> Member | None:
        """Return the member that an expression in a function names, or None."""
        if isinstance(node, ast.Attribute):
            owner = self._class_of(node.value, function)
            return None if owner is None else Member(owner, node.attr)
        if isinstance(node, ast.Name) and node.id not in self._names_in(function)[0]:
            return Member("", node.id)
        return None

    def function(self, node: ast.expr, function: Function) -> Function | None:
        """Return the function of the module that an expression in ``function`` names, a nested one included."""
        if isinstance(node, ast.Name):
            around = function.qualname
            while around:
                inner = self._by_qualname.get(f"{around}.<locals>.{node.id}")
                if inner is not None:
                    return inner
                around = around.rpartition(".<locals>.")[0]
        member = self.of(node, function)
        return None if member is None else self._by_member.get(member)

    def method(self, member: Member) -> Function | None:
        """Return the function that a member is, or None."""
        return self._by_member.get(member)

    def _functions(self) -> Iterator[Function]:
        receivers: dict[str, str] = {}
        for qualname, node in self.module.functions:
            owner, _, rest = qualname.partition(".")
            method, _, inner = rest.partition(".<locals>.")
            if owner not in self.classes or "." in method:
                yield Function(qualname, "", "", node)
                continue
            if not inner:
                receivers[qualname] = _receiver(node)
            yield Function(qualname, owner, receivers.get(f"{owner}.{method}", ""), node)

    def _read_attributes(self, function: Function) -> None:
        for node in function.nodes:
            for target, value in assignments(node):
                member = self.of(target, function)
                if member is None or not member.owner:
                    continue
                self._at_first.setdefault(member, []).append(value)
                name = dotted(value.func) if isinstance(value, ast.Call) else ""
                if name in self.classes:
                    self._attributes[member] = name

    def _instances(self, body: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
        for node in body:
            for target, value in assignments(node):
                if isinstance(target, ast.Name) and isinstance(value, ast.Call) and dotted(value.func) in self.classes:
                    yield target.id, dotted(value.func)

    def _class_of(self, node: ast.expr, function: Function) -> str | None:
        if isinstance(node, ast.Attribute):
            owner = self._class_of(node.value, function)
            return None if owner is None else self._attributes.get(Member(owner, node.attr))
        if not isinstance(node, ast.Name):
            return None
        if node.id == function.receiver and function.owner:
            return function.owner
        names, objects = self._names_in(function)
        if node.id in objects:
            return objects[node.id]
        if node.id in names:
            return None
        return self._objects.get(node.id, node.id if node.id in self.classes else None)

    def _names_in(self, function: Function) -> tuple[frozenset[str], dict[str, str]]:
        """Return the names that a function binds for itself, and the class of those that hold an object."""
        node = function.node
        if node not in self._locals:
            objects = dict((*self._annotated(node), *self._instances(function.nodes)))
            self._locals[node] = local_names(function), objects
        return self._locals[node]

    def _annotated(self, node: FunctionNode) -> Iterator[tuple[str, str]]:
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            owner = dotted(argument.annotation)
            if owner in self.classes:
                yield argument.arg, owner


def is_false(value: ast.expr) -> TypeGuard[ast.Constant]:
    """Whether an expression is ``False`` or ``None``."""
    return isinstance(value, ast.Constant) and (value.value is None or value.value is False)


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield (target, value) of an assignment, one for each target that is no tuple."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.target, node.value


def local_names(function: Function) -> frozenset[str]:
    """Return the names that a function binds for itself."""
    names = set(parameters(function.node))
    outer: set[str] = set()
    for node in function.nodes:
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            outer.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return frozenset(names - outer)


def _receiver(method: FunctionNode) -> str:
    """Return the name of the parameter that is the object, or its class; empty for a static method."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    is_static = any(dotted(decorator) == "staticmethod" for decorator in method.decorator_list)
    return arguments[0].arg if arguments and not is_static else ""


def _assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        for target, value in assignments(node):
            if isinstance(target, ast.Name):
                yield target.id, value
