"""What expressions are worth when no environment variable is set: constants and defaults, followed within one file.

Nothing is imported or run. What cannot be told from the text is unknown; a variable that must be set
(``os.environ["X"]``) is unknown too, because without it the program stops.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from doctor.source.collector import Module
from doctor.source.expressions import FunctionNode, dotted

LIMIT = 8
"""Functions that call one another, followed no deeper than this."""

READERS = frozenset({"os.getenv", "os.environ.get", "decouple.config"})
SETTINGS = frozenset({"pydantic_settings.BaseSettings", "pydantic.BaseSettings", "pydantic.v1.BaseSettings"})
"""Classes whose fields are read from the environment."""

_CREDENTIAL = re.compile(
    r"(?:^|_)(?:KEYS?|SECRET|URL|URI|DOMAIN|ISSUER|AUDIENCE|TOKEN|CLIENT_ID|TENANT|HOST|PASSWORD|CERT|PEM)(?:_|$)",
    re.IGNORECASE,
)
"""Variables without which nothing is meant to work; that they are unset says nothing about how the rest is set."""

_TEXT_METHODS = frozenset({"lower", "upper", "casefold", "strip", "lstrip", "rstrip", "title", "capitalize"})


@dataclass(frozen=True, slots=True)
class Value:
    """A value, if it is ``known``; ``environment`` says that a variable could have made it another one."""

    known: bool
    value: Any = None
    environment: bool = False


UNKNOWN = Value(False)
_RAISES = Value(False, "raises")
"""Instead of what is returned: the statements end with an exception."""

Names = dict[str, Value]


class Unset:
    """Evaluates expressions of one module with an empty environment."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.functions = dict(module.functions)
        self.classes = {node.name: node for node in module.tree.body if isinstance(node, ast.ClassDef)}
        self.objects: dict[str, Names] = {}
        self.depth = 0
        self.names: Names = {}
        self.names = self.run(module.tree.body, {}, "")[0]

    def local(self, qualname: str) -> Names:
        """Return the names that a function binds once its statements have run, parameters unknown."""
        function = self.functions.get(qualname)
        return {} if function is None else self._called(qualname, function)[0]

    def of(self, node: ast.expr | None, names: Names, owner: str) -> Value:
        """Return what an expression is worth; ``owner`` is the class around it, or empty."""
        if isinstance(node, ast.Constant):
            return Value(True, node.value)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._reference(dotted(node), names, owner)
        if isinstance(node, ast.Call):
            return self._call(node, names, owner)
        if isinstance(node, ast.BoolOp):
            return self._either(node, names, owner)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.of(node.operand, names, owner)
            return Value(True, not inner.value, inner.environment) if inner.known else UNKNOWN
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._compare(node, names, owner)
        if isinstance(node, ast.IfExp):
            return self._choice(node, names, owner)
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return self._collection(node.elts, names, owner)
        return UNKNOWN

    def attributes(self, owner: str) -> Names:
        """Return what the attributes of a new object of a class of this module are."""
        if owner in self.objects or owner not in self.classes:
            return self.objects.get(owner, {})
        self.objects[owner] = {}  # ends a circle
        node = self.classes[owner]
        from_environment = any(self.module.origin(base) in SETTINGS for base in node.bases)
        found: Names = {}
        for statement in node.body:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                value = self._field(statement.value, owner)
                for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                    if isinstance(target, ast.Name):
                        found[target.id] = Value(value.known, value.value, value.environment or from_environment)
        self.objects[owner] = found
        made = self.functions.get(f"{owner}.__init__")
        if made is not None:
            names = self._called(f"{owner}.__init__", made)[0]
            found |= {name.removeprefix("self."): value for name, value in names.items() if name.startswith("self.")}
        return found

    def run(self, body: list[ast.stmt], names: Names, owner: str) -> tuple[Names, Value | None]:
        """Run statements; return the names after them, and what was returned if that is certain to happen."""
        for statement in body:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                self._assign(statement, names, owner)
            elif isinstance(statement, ast.If):
                names, returned = self._branch(statement, names, owner)
                if returned is not None:
                    return names, returned
            elif isinstance(statement, (ast.Try, ast.With, ast.AsyncWith)):
                names, returned = self.run(statement.body, names, owner)
                if returned is not None:
                    return names, returned if not isinstance(statement, ast.Try) else UNKNOWN
            elif isinstance(statement, (ast.For, ast.AsyncFor, ast.While)):
                self._forget(statement, names)
            elif isinstance(statement, ast.Return):
                return names, self.of(statement.value, names, owner) if statement.value else Value(True)
            elif isinstance(statement, ast.Raise):
                return names, _RAISES
        return names, None

    def _branch(self, node: ast.If, names: Names, owner: str) -> tuple[Names, Value | None]:
        test = self.of(node.test, names, owner)
        if test.known:
            names, returned = self.run(node.body if test.value else node.orelse, names, owner)
            if not test.environment:
                return names, returned
            self._mark(node, names)
            return names, None if returned is None else Value(returned.known, returned.value, True)
        first, one = self.run(node.body, dict(names), owner)
        second, other = self.run(node.orelse, dict(names), owner)
        if one is _RAISES or other is _RAISES:
            return (second, other) if one is _RAISES else (first, one)
        joined = {name: value for name, value in first.items() if second.get(name) == value}
        return joined, None if one is None and other is None else UNKNOWN

    def _mark(self, node: ast.If, names: Names) -> None:
        """What a branch assigns depends on the variable that chose the branch."""
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Name, ast.Attribute)) and isinstance(inner.ctx, ast.Store):
                value = names.get(dotted(inner), UNKNOWN)
                names[dotted(inner)] = Value(value.known, value.value, value.known)

    def _forget(self, node: ast.stmt, names: Names) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, (ast.Name, ast.Attribute)) and isinstance(inner.ctx, ast.Store):
                names[dotted(inner)] = UNKNOWN

    def _assign(self, node: ast.Assign | ast.AnnAssign, names: Names, owner: str) -> None:
        if node.value is None:
            return
        value = self.of(node.value, names, owner)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, (ast.Name, ast.Attribute)):
                names[dotted(target)] = value

    def _field(self, node: ast.expr, owner: str) -> Value:
        """Return the default of a class attribute, which may stand inside ``Field(…)``."""
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "Field":
            given = [word.value for word in node.keywords if word.arg == "default"] or node.args[:1]
            return self.of(given[0], {}, owner) if given else UNKNOWN
        return self.of(node, {}, owner)

    def _reference(self, name: str, names: Names, owner: str) -> Value:
        if name in names:
            return names[name]
        first, _, rest = name.partition(".")
        if rest and first in ("self", "cls") and owner:
            return self._member(owner, rest)
        if rest and (made := self._made_from(first)):
            return self._member(made, rest)
        if rest and first in self.classes:
            return self._member(first, rest)
        return self.names.get(name, UNKNOWN) if first not in names else UNKNOWN

    def _made_from(self, name: str) -> str:
        """Return the class of which a name of the module, or what a function returns, is an object."""
        called = name.removesuffix("()")
        scope: list[ast.stmt] = self.module.tree.body
        if called != name:
            function = self.functions.get(called)
            returned = [node for node in function.body if isinstance(node, ast.Return)] if function else []
            values = [node.value for node in returned]
        else:
            values = [
                node.value
                for node in scope
                if isinstance(node, (ast.Assign, ast.AnnAssign))
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if dotted(target) == name
            ]
        made = {dotted(value.func) for value in values if isinstance(value, ast.Call)}
        return made.pop() if len(made) == 1 and made <= set(self.classes) else ""

    def _member(self, owner: str, name: str) -> Value:
        if name in (found := self.attributes(owner)):
            return found[name]
        method = self.functions.get(f"{owner}.{name.removesuffix('()')}")
        is_property = method is not None and any("property" in dotted(each) for each in method.decorator_list)
        if method is not None and is_property is not name.endswith("()"):
            return self._called(f"{owner}.{name.removesuffix('()')}", method)[1] or UNKNOWN
        return UNKNOWN

    def _called(self, qualname: str, function: FunctionNode) -> tuple[Names, Value | None]:
        if self.depth >= LIMIT:
            return {}, UNKNOWN
        self.depth += 1
        arguments = function.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        names: Names = {one.arg: UNKNOWN for one in every if one.arg not in ("self", "cls")}
        try:
            return self.run(function.body, names, qualname.rpartition(".")[0].partition(".<locals>")[0])
        finally:
            self.depth -= 1

    def _call(self, node: ast.Call, names: Names, owner: str) -> Value:
        origin, function = self.module.origin(node.func), node.func
        if origin in READERS:
            default = [word.value for word in node.keywords if word.arg == "default"] or node.args[1:2]
            value = self.of(default[0], names, owner) if default else Value(origin != "decouple.config")
            if not value.known or (not value.value and _is_credential(node)):
                return UNKNOWN
            return Value(True, value.value, True)
        if isinstance(function, ast.Attribute) and function.attr in _TEXT_METHODS and not node.args:
            inner = self.of(function.value, names, owner)
            if inner.known and isinstance(inner.value, str):
                return Value(True, getattr(inner.value, function.attr)(), inner.environment)
            return UNKNOWN
        if isinstance(function, ast.Name) and function.id in ("bool", "str", "frozenset", "set", "tuple") and node.args:
            inner = self.of(node.args[0], names, owner)
            if function.id != "bool":
                return inner
            return Value(True, bool(inner.value), inner.environment) if inner.known else UNKNOWN
        called = self.functions.get(dotted(function))
        if called is not None:
            return self._called(dotted(function), called)[1] or UNKNOWN
        if isinstance(function, ast.Attribute):
            return self._reference(f"{dotted(function)}()", names, owner)
        return UNKNOWN

    def _either(self, node: ast.BoolOp, names: Names, owner: str) -> Value:
        decides = isinstance(node.op, ast.Or)
        environment = False
        for operand in node.values:
            value = self.of(operand, names, owner)
            if not value.known:
                return UNKNOWN
            environment = environment or value.environment
            if bool(value.value) is decides:
                return Value(True, value.value, environment)
        return Value(True, value.value, environment)

    def _choice(self, node: ast.IfExp, names: Names, owner: str) -> Value:
        test = self.of(node.test, names, owner)
        if not test.known:
            return UNKNOWN
        value = self.of(node.body if test.value else node.orelse, names, owner)
        return Value(value.known, value.value, value.environment or test.environment)

    def _collection(self, elements: list[ast.expr], names: Names, owner: str) -> Value:
        values = [self.of(element, names, owner) for element in elements]
        return Value(True, tuple(one.value for one in values)) if all(one.known for one in values) else UNKNOWN

    def _compare(self, node: ast.Compare, names: Names, owner: str) -> Value:
        left, right = self.of(node.left, names, owner), self.of(node.comparators[0], names, owner)
        if not (left.known and right.known):
            return UNKNOWN
        environment = left.environment or right.environment
        answer = compared(node.ops[0], left.value, right.value)
        return UNKNOWN if answer is None else Value(True, answer, environment)


def _is_credential(reader: ast.Call) -> bool:
    name = reader.args[0] if reader.args else None
    return isinstance(name, ast.Constant) and isinstance(name.value, str) and bool(_CREDENTIAL.search(name.value))


def compared(operator: ast.cmpop, left: Any, right: Any) -> bool | None:
    """Return the outcome of a comparison, or None for one that says nothing here."""
    if isinstance(operator, (ast.Eq, ast.Is)):
        return bool(left == right)
    if isinstance(operator, (ast.NotEq, ast.IsNot)):
        return bool(left != right)
    if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(right, (tuple, str)):
        if isinstance(right, str) and not isinstance(left, str):
            return None
        return (left in right) is isinstance(operator, ast.In)
    return None
