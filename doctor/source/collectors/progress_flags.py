"""Flags that say that something is under way, and stay so when it fails."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.continuation import around, following, inner_nodes, is_harmless, statements
from doctor.source.expressions import dotted
from doctor.source.handlers import broad_handler, suppressed
from doctor.source.launches import Launches
from doctor.source.members import Function, Member, assignments, is_false

_NAMES = (
    "initializing",
    "initialising",
    "loading",
    "connecting",
    "starting",
    "building",
    "indexing",
    "refreshing",
    "fetching",
    "syncing",
    "in_progress",
    "inflight",
)
_UNDER_WAY = re.compile(rf"^(?!.*(?:shut|stop|clos|exit|terminat)).*(?:^|_)(?:re|pre|down|up)?(?:{'|'.join(_NAMES)})$")
"""Names of what comes to an end. What is closing or running may well be so for ever."""

_MAY_FAIL = re.compile(
    r"build|call|compute|connect|create|download|embed|encode|execute|fetch|get$|import|index|init|load|open$|post$|"
    r"pretrained|process|query|read|refresh|request|run|send|setup|start|sync|write|Client$|Model$|Transformer$"
)
_LEAVES = (ast.Return, ast.Raise)


@dataclass(frozen=True, slots=True)
class StuckFlag:
    """``function`` sets ``flag`` on ``line``, a failure leaves it set, and ``guard`` then turns all callers away.

    ``reset_line`` is where it is reset when all goes well, 0 where it never is. ``risk`` is the first thing that may
    fail.
    """

    path: str
    line: int
    text: str
    function: str
    owner: str
    flag: str
    guard: tuple[int, str]
    risk: tuple[int, str]
    reset_line: int


@dataclass(frozen=True, slots=True)
class _Set:
    """``statement`` of ``function`` sets the flag ``member``; ``resets`` are the lines that reset it, by function."""

    function: Function
    statement: ast.stmt
    member: Member
    resets: dict[Function, list[ast.stmt]]


def _collect(module: Module) -> Iterator[StuckFlag]:
    if any(_is_set(node) for node in module.nodes):
        yield from _Reader(module).facts()


class _Reader:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.launches = Launches(module)
        self.members = self.launches.members

    def facts(self) -> Iterator[StuckFlag]:
        for function in self.members.functions:
            for statement in statements(function.node):
                if not _is_set(statement):
                    continue
                for target, _ in assignments(statement):
                    member = self.members.of(target, function)
                    if member is not None and self.members.is_unset_at_first(member):
                        yield from self._stuck(function, statement, member)

    def _stuck(self, function: Function, statement: ast.stmt, member: Member) -> Iterator[StuckFlag]:
        resets = self._resets(member)
        guard = self._guard(function, statement, member)
        if guard is None or resets is None:
            return
        risk = self._risk(_Set(function, statement, member, resets))
        if risk is not None:
            yield StuckFlag(
                path=self.module.path,
                line=statement.lineno,
                text=self.module.line(statement.lineno),
                function=function.qualname,
                owner=member.owner,
                flag=member.name,
                guard=(guard.lineno, self.module.line(guard.lineno)),
                risk=(risk.lineno, self.module.line(risk.lineno)),
                reset_line=next((one.lineno for found in resets.values() for one in found), 0),
            )

    def _resets(self, member: Member) -> dict[Function, list[ast.stmt]] | None:
        """Return the statements that reset a flag; None when one does so on a failure, or cannot be told apart."""
        found: dict[Function, list[ast.stmt]] = {}
        if any(isinstance(node, ast.Constant) and node.value == member.name for node in self.module.nodes):
            return None  # by its name, as with `setattr`
        for function in self.members.functions:
            for statement in statements(function.node):
                for target, value in assignments(statement):
                    if dotted(target).rpartition(".")[2] != member.name or _is_true(value):
                        continue
                    if function.node.name == "__init__" and self.members.of(target, function) == member:
                        continue
                    if self.members.of(target, function) != member or not is_false(value):
                        return None
                    if _is_on_failure(function, statement):
                        return None
                    found.setdefault(function, []).append(statement)
        return found

    def _guard(self, function: Function, statement: ast.stmt, member: Member) -> ast.stmt | None:
        """Return the branch that turns callers away while the flag is set, in the function that sets it."""
        for outer in around(function.node, statement):
            if isinstance(outer, ast.If) and self._says(outer.test, function, member, is_set=False):
                return outer
        for one in statements(function.node):
            if one.lineno >= statement.lineno:
                break
            turns_away = isinstance(one, ast.If) and isinstance(one.body[-1], _LEAVES) and is_harmless(_nodes(one.body))
            if turns_away and self._says(one.test, function, member, is_set=True):  # type: ignore[attr-defined]
                return one
        return None

    def _says(self, test: ast.expr, function: Function, member: Member, *, is_set: bool) -> bool:
        """Whether a test holds whenever the flag is set, or only while it is not."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self._says(test.operand, function, member, is_set=not is_set)
        if isinstance(test, ast.BoolOp):
            joins = isinstance(test.op, ast.Or if is_set else ast.And)
            return joins and any(self._says(one, function, member, is_set=is_set) for one in test.values)
        return is_set and self.members.of(test, function) == member

    def _risk(self, one: _Set) -> ast.stmt | None:
        """Return what may fail between the set and the reset, when the failure passes the reset by."""
        started = {launch.statement: launch.target for launch in self.launches.all() if launch.function is one.function}
        if set(one.resets) - {one.function, *started.values()}:
            return None  # somebody else resets it, at a time that is not known here
        for statement in _flat(following(one.function.node, one.statement)):
            if statement in one.resets.get(one.function, ()):
                return None
            target = started.get(statement)
            if target is None and self._may_fail(statement, one.function, one.resets):
                return statement
            if target is not None:
                return self._risk_in(target, one.resets)
        return None

    def _risk_in(self, target: Function, resets: dict[Function, list[ast.stmt]]) -> ast.stmt | None:
        for statement in _flat(target.node.body):
            if statement in resets.get(target, ()):
                return None
            if self._may_fail(statement, target, resets):
                return statement
        return None

    def _may_fail(self, statement: ast.stmt, function: Function, resets: dict[Function, list[ast.stmt]]) -> bool:
        """Whether an exception of a statement leaves the function, or at least passes the reset by."""
        if resets and _goes_on(statement):
            return False
        return any(
            isinstance(node, ast.Await) or (isinstance(node, ast.Call) and self._may_raise(node, function))
            for node in inner_nodes(statement)
        )

    def _may_raise(self, call: ast.Call, function: Function) -> bool:
        """Whether a call is one of the module's own functions, or by its name one that depends on the outside."""
        last = dotted(call.func).rpartition(".")[2]
        if self.members.function(call.func, function) is not None:
            return True
        return bool(_MAY_FAIL.search(last)) and (last[:1].isupper() or not is_harmless([call]))


def _is_set(node: ast.AST) -> bool:
    return any(
        _is_true(value) and _UNDER_WAY.search(dotted(target).rpartition(".")[2]) for target, value in assignments(node)
    )


def _is_true(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def _is_on_failure(function: Function, statement: ast.stmt) -> bool:
    """Whether a statement stands in an ``except`` or a ``finally``, or in what a ``try`` does when it went well."""
    inside = (one for one in around(function.node, statement) if isinstance(one, ast.Try))
    return any(statement not in list(_nodes(one.body)) for one in inside)


def _goes_on(statement: ast.stmt) -> bool:
    """Whether whatever fails in a statement, what comes after it still runs."""
    if isinstance(statement, ast.Try):
        handler = broad_handler(statement)
        leaves = any(isinstance(node, _LEAVES) for one in statement.handlers for node in _nodes(one.body))
        return handler is not None and not leaves
    return isinstance(statement, (ast.With, ast.AsyncWith)) and suppressed(statement) is not None


def _flat(block: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements with those of a ``with``, and of a ``try`` that does not go on after a failure, in place."""
    for statement in block:
        if isinstance(statement, (ast.With, ast.AsyncWith, ast.Try)) and not _goes_on(statement):
            yield from _flat(statement.body)
        else:
            yield statement


def _nodes(block: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for statement in block:
        yield from inner_nodes(statement)


COLLECTOR = Collector("progress-flags", 1, tuple(f"{name} = True".encode() for name in _NAMES), _collect)
