"""What is started in the background and taken for done at once, or run a second time beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.continuation import following, inner_nodes, is_lock, is_wait, waits
from doctor.source.launches import LITERALS, Launch, Launches, called_alone, is_awaited
from doctor.source.members import Function, Member
from doctor.source.readiness import NotReady, is_mentioned, refusal
from doctor.source.start_glance import may_take_a_start_for_done

Place = tuple[int, str]
"""A line and its text."""


@dataclass(frozen=True, slots=True)
class EarlyTest:
    """``function`` causes a start at ``call``, and tests at ``test`` what the started ``target`` sets at ``done``.

    ``end`` is the ``raise`` or the empty ``return``. ``starter`` is the method called, empty where the function starts
    by itself; ``waiter`` is the coroutine method that initialises and is done when it comes back. ``swappable``: its
    await may take the place of the starter's call, as the function stands.
    """

    path: str
    line: int
    function: str
    owner: str
    flag: str
    target: str
    call: Place
    start: Place
    test: Place
    end: Place
    done: Place
    raises: bool
    starter: str
    waiter: str
    swappable: bool


@dataclass(frozen=True, slots=True)
class SecondRun:
    """``function`` causes a start of ``target`` at ``call``, and awaits at ``line`` ``waiter``, which runs it too."""

    path: str
    line: int
    function: str
    owner: str
    target: str
    call: Place
    start: Place
    run: Place
    starter: str
    waiter: str
    swappable: bool


def _collect(module: Module) -> Iterator[EarlyTest | SecondRun]:
    return _Reader(module).facts()


class _Reader:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.launches = Launches(module)
        self.members = self.launches.members

    def facts(self) -> Iterator[EarlyTest | SecondRun]:
        for launch in self.launches.all():
            found = self._early_test(launch), self._second_run(launch)
            yield from (one for one in found if one is not None)

    def _early_test(self, launch: Launch) -> EarlyTest | None:
        function, target = launch.function, launch.target
        foreground = [one for one in (function, launch.starter) if one is not None and one is not target]
        at_once = self.launches.assigned(foreground)
        flags = {member: flag for member, flag in self.launches.flags(target).items() if member not in at_once}
        if not flags or function is target:
            return None
        found = refusal(following(function.node, launch.statement), function, flags, self.members)
        if found is None:
            return None
        waiter = self._waiter(launch)
        return EarlyTest(
            path=self.module.path,
            line=found.line,
            function=function.qualname,
            owner=target.owner,
            flag=found.flag.member.name,
            target=target.qualname,
            call=self._place(launch.statement.lineno),
            start=self._place(launch.line),
            test=self._place(found.line),
            end=self._place(found.end_line),
            done=self._place(found.flag.line),
            raises=found.kind is NotReady.RAISES,
            starter="" if launch.starter is None else launch.starter.node.name,
            waiter="" if waiter is None else waiter.node.name,
            swappable=waiter is not None and _is_swappable(launch, waiter),
        )

    def _second_run(self, launch: Launch) -> SecondRun | None:
        function = launch.function
        for statement in following(function.node, launch.statement):
            call = called_alone(statement) if is_awaited(statement) else None
            waiter = None if call is None else self.members.function(call.func, function)
            if waiter is not None and self._runs_again(waiter, launch):
                return SecondRun(
                    path=self.module.path,
                    line=statement.lineno,
                    function=function.qualname,
                    owner=launch.target.owner,
                    target=launch.target.qualname,
                    call=self._place(launch.statement.lineno),
                    start=self._place(launch.line),
                    run=self._place(statement.lineno),
                    starter="" if launch.starter is None else launch.starter.node.name,
                    waiter=waiter.node.name,
                    swappable=_is_swappable(launch, waiter),
                )
            if waits(inner_nodes(statement)):
                return None
        return None

    def _runs_again(self, waiter: Function, launch: Launch) -> bool:
        """Whether ``waiter`` runs the target of a launch for itself, and nothing keeps the two apart."""
        target = launch.target
        if waiter is not target and target not in self.launches.named_by(waiter):
            return False
        if _locks(target) or self._tested(target) - set(self.launches.flags(target)):
            return False
        if waiter is target:
            return True
        starters = [one for one in (launch.starter, launch.function) if one is not None]
        nodes = list(waiter.nodes)
        knows_of_it = is_mentioned(nodes, waiter, self.launches.assigned(starters), self.members)
        return not knows_of_it and not any(isinstance(node, ast.Call) and is_wait(node) for node in nodes)

    def _waiter(self, launch: Launch) -> Function | None:
        """Return the coroutine method that initialises unless that is done, and comes back when it is done."""
        flags = set(self.launches.flags(launch.target))
        found = [one for one in self.members.functions if self._is_waiter(one, launch, flags)]
        return next((one for one in found if one is not launch.target), found[0] if found else None)

    def _is_waiter(self, function: Function, launch: Launch, flags: set[Member]) -> bool:
        target = launch.target
        if not isinstance(function.node, ast.AsyncFunctionDef) or function.is_nested or not function.owner:
            return False
        if function.owner != target.owner or function is launch.function or _needs_arguments(function):
            return False
        if function is not target and not self._awaits(function, target):
            return False
        return bool(self._tested(function) & flags) and not self.launches.launches_itself(function)

    def _awaits(self, function: Function, target: Function) -> bool:
        """Whether a function awaits another one, or a call to which it hands it."""
        calls = (node.value for node in function.nodes if isinstance(node, ast.Await))
        return any(
            self.members.function(one, function) is target
            for call in calls
            for inner in ast.walk(call)
            if isinstance(inner, ast.Call)
            for one in (inner.func, *inner.args)
        )

    def _tested(self, function: Function) -> set[Member]:
        """Return the members on which a function's branches depend."""
        tests = (node.test for node in function.nodes if isinstance(node, (ast.If, ast.While, ast.IfExp)))
        named = (
            self.members.of(one, function) for test in tests for one in ast.walk(test) if isinstance(one, ast.expr)
        )
        return {member for member in named if member is not None and self.members.method(member) is None}

    def _place(self, line: int) -> Place:
        return line, self.module.line(line)


def _is_swappable(launch: Launch, waiter: Function) -> bool:
    """Whether the call of the starter may become the await of another method of the same object, as it stands."""
    call = called_alone(launch.statement)
    return (
        isinstance(launch.function.node, ast.AsyncFunctionDef)
        and launch.starter is not None
        and launch.starter.owner == waiter.owner
        and call is not None
        and isinstance(call.func, ast.Attribute)
        and not call.args
        and not call.keywords
    )


def _locks(function: Function) -> bool:
    return any(
        is_lock(item) for node in function.nodes if isinstance(node, (ast.With, ast.AsyncWith)) for item in node.items
    )


def _needs_arguments(function: Function) -> bool:
    arguments = function.node.args
    required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return required > 1 or any(default is None for default in arguments.kw_defaults)


COLLECTOR = Collector("background-starts", 1, LITERALS, _collect, looks=may_take_a_start_for_done)
