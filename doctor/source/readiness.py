"""How a function tests whether something is ready, and what becomes of its caller when it is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from doctor.source.call_kinds import CallKind, call_kind
from doctor.source.continuation import inner_nodes, is_harmless
from doctor.source.expressions import dotted
from doctor.source.launches import Flag
from doctor.source.members import Function, Member, Members

_ASKS_TO_COME_BACK = re.compile(r"retry|try_?again|503|unavailable|too_?early|425|warming|pending", re.IGNORECASE)
"""An exception that says so is an answer, and no failure."""

_EMPTY = (ast.List, ast.Tuple, ast.Dict)

Reading = Callable[[ast.expr], Flag | None]


class NotReady(Enum):
    """What a branch does that is taken while nothing is ready."""

    RAISES = auto()
    GIVES_NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A test of ``flag`` on ``line`` that ends badly on ``end_line`` while the flag is unset."""

    flag: Flag
    line: int
    end_line: int
    kind: NotReady


def refusal(
    after: Iterable[ast.stmt], function: Function, flags: Mapping[Member, Flag], members: Members
) -> Refusal | None:
    """Return the first test of a flag among the statements after a launch, if nothing before it could wait.

    None as well when what follows from the test is no failure: it waits, defers, or answers in some other way.
    """
    reading = _reading(function, flags, members)
    pending = list(after)
    while pending:
        statement = pending.pop(0)
        if isinstance(statement, (ast.If, ast.Assert)):
            found = _unset_branch(statement, pending, reading)
            if found is not None:
                flag, branch = found
                return _refusal(flag, statement, branch, function)
            if isinstance(statement, ast.Assert) or not is_harmless(inner_nodes(statement.test)):
                return None
            pending[:0] = [*statement.body, *statement.orelse]
        elif isinstance(statement, ast.Try):
            pending[:0] = statement.body
        elif not is_harmless(inner_nodes(statement)) or _sets(statement, function, flags, members):
            return None
    return None


def is_mentioned(nodes: Iterable[ast.AST], function: Function, wanted: Iterable[Member], members: Members) -> bool:
    """Whether any of the members is read among the nodes."""
    names = set(wanted)
    return any(isinstance(node, (ast.Attribute, ast.Name)) and members.of(node, function) in names for node in nodes)


def is_probe(function: Function) -> bool:
    """Whether a function does nothing but return something that it looks at."""
    body = [one for one in function.node.body if not _is_text(one)]
    return len(body) == 1 and isinstance(body[0], ast.Return) and is_harmless(function.nodes)


def _reading(function: Function, flags: Mapping[Member, Flag], members: Members) -> Reading:
    """Return what tells the flag that an expression reads: itself, by a probe, or as an event."""

    def read(node: ast.expr) -> Flag | None:
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "is_set" and not node.args:
                return read(node.func.value)
            node = node.func
        member = members.of(node, function)
        if member is None or member in flags:
            return None if member is None else flags[member]
        probe = members.method(member)
        if probe is None or not is_probe(probe):
            return None
        returned = next(one.value for one in probe.node.body if isinstance(one, ast.Return))
        inner = None if returned is None else members.of(_event(returned), probe)
        return None if inner is None else flags.get(inner)

    return read


def _event(node: ast.expr) -> ast.expr:
    is_set = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "is_set"
    return node.func.value if is_set else node  # type: ignore[attr-defined]


def _unset_branch(
    statement: ast.If | ast.Assert, rest: Sequence[ast.stmt], reading: Reading
) -> tuple[Flag, Sequence[ast.stmt]] | None:
    """Return the tested flag and the statements that run while it is unset."""
    found = _unset_when(statement.test, reading)
    if found is None:
        return None
    flag, when = found
    if isinstance(statement, ast.Assert):
        return None if when else (flag, [statement])
    if when:
        return flag, statement.body
    ends = bool(statement.body) and isinstance(statement.body[-1], (ast.Return, ast.Raise))
    return flag, statement.orelse or (rest if ends else [])


def _unset_when(test: ast.expr, reading: Reading) -> tuple[Flag, bool] | None:
    """Return the flag and whether it is unset when the test holds."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        found = _unset_when(test.operand, reading)
        return None if found is None else (found[0], not found[1])
    if isinstance(test, ast.BoolOp):
        operands = [found for one in test.values if (found := _unset_when(one, reading)) is not None]
        wanted = isinstance(test.op, ast.Or)
        same = [one for one in operands if one[1] is wanted]
        if same:
            return same[0]
        return operands[0] if len(operands) == 1 and not wanted else None
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.comparators[0], ast.Constant):
        flag = reading(test.left)
        positive = isinstance(test.ops[0], (ast.Is, ast.Eq))
        value = test.comparators[0].value
        known = value is None or isinstance(value, bool)
        return (flag, positive is not (value is True)) if flag is not None and known else None
    flag = reading(test)
    return None if flag is None else (flag, False)


def _refusal(
    flag: Flag, statement: ast.If | ast.Assert, branch: Sequence[ast.stmt], function: Function
) -> Refusal | None:
    end = _end(branch)
    if end is None:
        return None
    if isinstance(end, ast.Return):
        if flag.is_value or _answers_by_bool(function):
            return None
        return Refusal(flag, statement.lineno, end.lineno, NotReady.GIVES_NOTHING)
    return Refusal(flag, statement.lineno, end.lineno, NotReady.RAISES)


def _end(branch: Sequence[ast.stmt]) -> ast.stmt | None:
    """Return the ``raise`` or empty ``return`` that a branch comes to when it does nothing else of any use."""
    for statement in branch:
        if isinstance(statement, ast.Assert):
            return statement
        if isinstance(statement, ast.Raise):
            return None if _ASKS_TO_COME_BACK.search(ast.unparse(statement)) else statement
        if isinstance(statement, ast.Return):
            return statement if _is_empty(statement.value) else None
        if isinstance(statement, ast.If):
            inner = _end(statement.body) if is_harmless(inner_nodes(statement.test)) else None
            if isinstance(inner, ast.Raise):
                return inner
        if isinstance(statement, ast.Expr) and _exits(statement.value):
            return statement
        if not is_harmless(inner_nodes(statement)):
            return None
    return None


def _exits(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and call_kind(dotted(node.func)) is CallKind.EXIT


def _is_empty(value: ast.expr | None) -> bool:
    """Whether nothing is returned. ``False`` is an answer."""
    if value is None or isinstance(value, ast.Constant):
        return value is None or value.value in (None, "")
    if isinstance(value, ast.Dict):
        return not value.keys
    return isinstance(value, _EMPTY) and not value.elts  # type: ignore[union-attr]


def _answers_by_bool(function: Function) -> bool:
    """Whether a function returns nothing but True and False: it tells whether something is ready."""
    values = [node.value for node in function.nodes if isinstance(node, ast.Return)]
    return bool(values) and all(isinstance(one, ast.Constant) and isinstance(one.value, bool) for one in values)


def _sets(statement: ast.stmt, function: Function, flags: Mapping[Member, Flag], members: Members) -> bool:
    stores = (
        node
        for node in inner_nodes(statement)
        if isinstance(node, (ast.Attribute, ast.Name)) and not isinstance(node.ctx, ast.Load)
    )
    return any(members.of(node, function) in flags for node in stores)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
