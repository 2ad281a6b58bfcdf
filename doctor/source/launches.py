"""Which functions start another one in the background, and what that one sets when it is done.

Background is a thread, a task of the event loop, or an executor, that is started and not waited for.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from doctor.source.collector import Module
from doctor.source.continuation import around, inner_nodes, is_lock, statements, waits
from doctor.source.expressions import dotted
from doctor.source.members import Function, Member, Members, assignments, is_false

LITERALS = (b"Thread(", b"create_task(", b"ensure_future(", b"run_in_executor(", b".submit(")
"""A file without any of these starts nothing in the background."""

_STARTS = frozenset({"Thread", "create_task", "ensure_future", "run_in_executor", "submit"})
_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.Return)


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """``statement`` of ``function`` starts ``target``, by itself or by a call of ``starter``.

    ``line`` is where the thread or task is made.
    """

    function: Function
    statement: ast.stmt
    target: Function
    line: int
    starter: Function | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """What a function sets in the background. ``is_value``: it is None at first, and no mere True or False."""

    member: Member
    line: int
    is_value: bool


class Launches:
    """The launches of a module, by the functions that make them."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.members = Members(module)
        calls = (node for node in module.nodes if isinstance(node, ast.Call))
        self._calls = [(call.lineno, dotted(call.func).rpartition(".")[2]) for call in calls]
        self._direct = {one: tuple(self._launches(one)) for one in self._calling(_STARTS)}
        found = [launch for launches in self._direct.values() for launch in launches if self._is_starter(launch)]
        self._starters = {one.function.member: one for one in found}
        for function in self._calling({member.name for member in self._starters}):
            for launch in self._by_starter(function):  # whoever does nothing but call a starter is one
                if self._is_starter(launch):
                    self._starters.setdefault(function.member, launch)

    def all(self) -> Iterator[Launch]:
        """Yield every launch: those that a function makes itself, and those by a starter that it calls."""
        for launches in self._direct.values():
            yield from launches
        for function in self._calling({member.name for member in self._starters}):
            yield from self._by_starter(function)

    def launches_itself(self, function: Function) -> bool:
        """Whether a function starts something in the background."""
        return bool(self._direct.get(function))

    def flags(self, target: Function) -> dict[Member, Flag]:
        """Return what a function sets, itself or by a function that it calls, and what is unset at first."""
        found: dict[Member, Flag] = {}
        for function in self.with_callees(target):
            for member, line, is_value in self._set_by(function):
                if self.members.is_unset_at_first(member):
                    found.setdefault(member, Flag(member, line, is_value))
        return found

    def with_callees(self, function: Function) -> list[Function]:
        """Return a function and those of the module that it calls or hands on."""
        return list(dict.fromkeys((function, *self.named_by(function))))

    def named_by(self, function: Function) -> Iterator[Function]:
        """Yield the functions of the module that a function calls, or hands to what it calls."""
        for node in function.nodes:
            if isinstance(node, ast.Call):
                found = (self.members.function(one, function) for one in (node.func, *node.args))
                yield from (one for one in found if one is not None)

    def assigned(self, functions: Iterable[Function]) -> set[Member]:
        """Return the members to which the functions assign anything but False and None."""
        return {member for function in functions for member, _, _ in self._set_by(function)}

    def _calling(self, names: Collection[str]) -> list[Function]:
        """Return the functions in which something of these names is called."""
        if not names:
            return []
        lines = [line for line, name in self._calls if name in names]
        return [
            one
            for one in (self.members.functions if lines else ())
            if any(one.node.lineno <= line <= (one.node.end_lineno or line) for line in lines)
        ]

    def _is_starter(self, launch: Launch) -> bool:
        """Whether the function of a launch comes back before the target is done, and never runs it itself."""
        function = launch.function
        if function.is_nested or waits(function.nodes):
            return False
        started = set(map(id, ast.walk(launch.statement)))
        calls = (node for node in function.nodes if isinstance(node, ast.Call) and id(node) not in started)
        return all(self.members.function(call.func, function) is not launch.target for call in calls)

    def _by_starter(self, function: Function) -> Iterator[Launch]:
        """Yield the statements of a function that call a starter and do nothing else."""
        for statement in statements(function.node):
            call = called_alone(statement)
            member = None if call is None else self.members.of(call.func, function)
            launch = None if member is None else self._starters.get(member)
            if launch is None or launch.function is function or not _is_free(function, statement):
                continue
            if isinstance(launch.function.node, ast.AsyncFunctionDef) == is_awaited(statement):
                yield Launch(function, statement, launch.target, launch.line, launch.function)

    def _launches(self, function: Function) -> Iterator[Launch]:
        threads = dict(self._threads(function))
        for statement in statements(function.node):
            if not isinstance(statement, _SIMPLE) or waits(inner_nodes(statement)) or not _is_free(function, statement):
                continue
            for call in (node for node in inner_nodes(statement) if isinstance(node, ast.Call)):
                handed = self._handed(call, threads)
                target = None if handed is None else self.members.function(_called(handed), function)
                if target is not None:
                    yield Launch(function, statement, target, call.lineno)

    def _threads(self, function: Function) -> Iterator[tuple[str, ast.expr]]:
        for node in function.nodes:
            for target, value in assignments(node):
                if isinstance(value, ast.Call) and (handed := self._target_of_thread(value)) is not None:
                    yield dotted(target), handed

    def _handed(self, call: ast.Call, threads: dict[str, ast.expr]) -> ast.expr | None:
        """Return what a call starts in the background, or None."""
        last = dotted(call.func).rpartition(".")[2]
        if last == "start" and isinstance(call.func, ast.Attribute):
            made = call.func.value
            return self._target_of_thread(made) if isinstance(made, ast.Call) else threads.get(dotted(made))
        if last in ("create_task", "ensure_future") and call.args:
            return call.args[0] if isinstance(call.args[0], ast.Call) else None
        if last == "run_in_executor" and len(call.args) > 1:
            return call.args[1]
        return call.args[0] if last == "submit" and call.args else None

    def _target_of_thread(self, call: ast.Call) -> ast.expr | None:
        if self.module.origin(call.func) != "threading.Thread":
            return None
        return next((keyword.value for keyword in call.keywords if keyword.arg == "target"), None)

    def _set_by(self, function: Function) -> Iterator[tuple[Member, int, bool]]:
        for node in function.nodes:
            for target, value in assignments(node):
                member = None if is_false(value) else self.members.of(target, function)
                if member is not None:
                    yield member, node.lineno, not isinstance(value, ast.Constant)  # type: ignore[attr-defined]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "set":
                event = self.members.of(node.func.value, function)
                if event is not None and self.members.is_event_at_first(event):
                    yield event, node.lineno, False


def called_alone(statement: ast.stmt) -> ast.Call | None:
    """Return the call that a statement consists of, awaited or not."""
    if not isinstance(statement, ast.Expr):
        return None
    value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    return value if isinstance(value, ast.Call) else None


def is_awaited(statement: ast.stmt) -> bool:
    """Whether a statement is nothing but an await."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Await)


def _called(handed: ast.expr) -> ast.expr:
    """Return the function in ``f``, ``f()``, ``partial(f, …)`` and ``lambda: f(…)``."""
    if isinstance(handed, ast.Lambda):
        return _called(handed.body)
    if isinstance(handed, ast.Call):
        if dotted(handed.func).rpartition(".")[2] == "partial" and handed.args:
            return handed.args[0]
        return handed.func
    return handed


def _is_free(function: Function, statement: ast.stmt) -> bool:
    """Whether a statement stands in no ``with`` but of a lock: at the end of another one its work may be awaited."""
    outer = (one for one in around(function.node, statement) if isinstance(one, (ast.With, ast.AsyncWith)))
    return all(is_lock(item) for one in outer for item in one.items)
