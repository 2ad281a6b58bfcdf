"""One pass over a syntax tree: everything the file says by itself, as :class:`ModuleFacts`."""

from __future__ import annotations

import ast
import re

from doctor.source import wrapping
from doctor.source.bindings import bindings_of
from doctor.source.call_kinds import CallKind, call_kind
from doctor.source.expressions import FunctionNode, dotted, first_text, is_for_types, is_main_block, parameters
from doctor.source.handlers import broad_handler, read_handler, suppressed
from doctor.source.libraries import BUILDERS, VERBS
from doctor.source.module_facts import (
    Binding,
    BindingKind,
    Bindings,
    ClassFacts,
    FunctionFacts,
    GuardedCall,
    ModuleFacts,
    RawDecorator,
    RawHandler,
)
from doctor.source.routes import route_of
from doctor.source.scopes import NameWalker, Scope

COLLECTOR_VERSION = 4
"""Part of the key under which collected facts may be kept; raised when the same file would give other facts."""

STARTING = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe", "start_soon"})
"""Calls that start a coroutine and go on at once."""
IN_THREADS = frozenset({"to_thread", "run_in_executor", "run_in_threadpool", "run_sync"})
"""Calls that run a function in a thread; whether anybody waits for it is said by ``await``."""
RUNNING = frozenset({"asyncio.run", "anyio.run", "uvloop.run", "trio.run"})
"""Calls that return when the coroutine has ended."""

_BROKER = re.compile("broker|celery|huey", re.IGNORECASE)

_PLAIN_BASES = frozenset({"object", "Generic", "typing.Generic", "Protocol", "typing.Protocol", "ContextDecorator"})
"""Bases that add nothing by which an instance could answer for the object it holds."""


def collect(tree: ast.Module, path: str, lines: list[str]) -> ModuleFacts:
    """Return the facts of one file; ``lines`` are its lines, for showing.

    Raises:
        RecursionError: when the tree is nested too deeply to be walked.
    """
    collector = _Collector(tree, lines)
    collector.visit_all(tree.body)
    facts = collector.result(path)
    collector.handlers.clear()  # the bound methods in it are a circle that would keep the tree alive
    return facts


class _Collector(NameWalker):
    def __init__(self, tree: ast.Module, lines: list[str]) -> None:
        super().__init__(tree, lines)
        self.functions: dict[str, FunctionFacts] = {}
        self.decorated: list[FunctionFacts] = []
        self.classes: dict[str, ClassFacts] = {}
        self.methods: list[dict[str, wrapping.Body]] = []
        self.in_class = False
        self.consumed: set[int] = set()
        self.enqueues: list[GuardedCall] = []
        self.guarded: list[GuardedCall] = []
        self.handlers |= {
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.ClassDef: self._class,
            ast.Return: self._return,
            ast.Yield: self._yield,
            ast.YieldFrom: self._yield,
            ast.Raise: self._raise,
            ast.If: self._if,
            ast.While: self._while,
            ast.Try: self._try,
            ast.TryStar: self._try,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Call: self._call,
            ast.Await: self._await,
            ast.Lambda: self._lambda,
        }
        self.awaiting = False
        self.awaited: ast.expr | None = None
        self.lambdas = 0

    def result(self, path: str) -> ModuleFacts:
        """Return what was collected."""
        return ModuleFacts(
            path=path,
            bindings=self.scopes[0].frozen(),
            stars=tuple(self.stars),
            functions=self.functions,
            classes=self.classes,
            decorated=tuple(self.decorated),
            enqueues=tuple(self.enqueues),
            guarded_calls=tuple(self.guarded),
            imports=tuple(self.imports),
            calls=self.scopes[0].calls | self.main.calls,
            bodies=tuple(
                _body_facts(scope)
                for scope in (self.scopes[0], self.main)
                if scope.calls or scope.made or scope.awaited
            ),
        )

    def _function(self, node: FunctionNode) -> None:
        qualname = f"{self.prefix}{node.name}"
        self.bind(node.name, Binding(BindingKind.DEFINED, qualname))
        self.visit_all((*node.decorator_list, node.args, node.returns))
        body = wrapping.Body(node)
        if self.in_class:
            self.methods[-1][node.name] = body
        elif self.scope.body is not None:
            self.scope.body.nested[node.name] = body
        scope = Scope(node, qualname, body, tuple(self._decorator(one) for one in node.decorator_list))
        for name in parameters(node):
            scope.bind(name, Binding(BindingKind.OTHER))
        outer = self.prefix, self.in_class, self.binds, self.hidden, self.awaiting, self.lambdas
        self.prefix, self.in_class, self.binds, self.hidden = f"{qualname}.<locals>.", False, True, []
        self.awaiting, self.lambdas = False, 0
        self.scopes.append(scope)
        self.visit_all(node.body)
        self.scopes.pop()
        self.prefix, self.in_class, self.binds, self.hidden, self.awaiting, self.lambdas = outer
        facts = self._function_facts(node, scope, body)
        self.functions[qualname] = facts
        if facts.decorators:
            self.decorated.append(facts)

    def _function_facts(self, node: FunctionNode, scope: Scope, body: wrapping.Body) -> FunctionFacts:
        decorates = body.returns or body.yields
        return FunctionFacts(
            qualname=scope.qualname,
            line=node.lineno,
            is_async=isinstance(node, ast.AsyncFunctionDef),
            decorators=scope.decorators,
            bindings=scope.frozen(),
            calls=scope.calls,
            raises=scope.raises,
            writes=scope.writes,
            definition=wrapping.definition_of(body, is_method=self.in_class) if decorates else None,
            last_line=_last_line(node),
            indent=node.body[0].col_offset,
            awaited=tuple(scope.awaited),
            made=tuple(scope.made),
            assigned=tuple(scope.assigned),
            deferred=tuple(name for name in scope.calls if name not in scope.at_once),
            returns=_plain_annotation(node.returns),
        )

    def _decorator(self, node: ast.expr) -> RawDecorator:
        call = node if isinstance(node, ast.Call) else None
        last = node.end_lineno or node.lineno
        return RawDecorator(
            text=self.text(node.lineno, last),
            name=dotted(node if call is None else call.func),
            line=node.lineno,
            end_line=last,
            is_call=call is not None,
            argument=None if call is None else first_text(call),
            methods=() if call is None else _methods(call),
        )

    def _class(self, node: ast.ClassDef) -> None:
        qualname = f"{self.prefix}{node.name}"
        self.bind(node.name, Binding(BindingKind.DEFINED, qualname))
        self.visit_all((*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)))
        outer = self.prefix, self.in_class, self.binds
        self.prefix, self.in_class, self.binds = f"{qualname}.", True, False
        self.methods.append({})
        self.visit_all(node.body)
        methods = self.methods.pop()
        self.prefix, self.in_class, self.binds = outer
        bases = tuple(dotted(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases)
        answers = "__getattr__" in methods or any(base not in _PLAIN_BASES for base in bases)
        definition = wrapping.definition_of_class(methods.get("__call__"), looks_like_target=answers)
        self.classes[qualname] = ClassFacts(qualname, node.lineno, bases, definition, _brokers(node))

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            if self.scope.body is not None:
                self.scope.body.returns.append((node.value, tuple(self.scope.tests)))
            self.visit(node.value)

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        if self.scope.body is not None:
            self.scope.body.yields = True
        self.visit_children(node)

    def _raise(self, node: ast.Raise) -> None:
        self.scope.raises = True
        self.visit_children(node)

    def _if(self, node: ast.If) -> None:
        self.visit(node.test)
        self.scope.tests.append(node.test)
        outer = self.in_main, self.for_types
        self.in_main, self.for_types = outer[0] or is_main_block(node), outer[1] or is_for_types(node)
        self.visit_all(node.body)
        self.in_main, self.for_types = outer
        self.visit_all(node.orelse)
        self.scope.tests.pop()

    def _while(self, node: ast.While) -> None:
        self.visit(node.test)
        self.scope.loops += 1
        self.visit_all(node.body)
        self.scope.loops -= 1
        self.visit_all(node.orelse)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        handler = broad_handler(node)
        if handler is not None:
            self._push_guard(handler, node)
        self.visit_all(node.body)
        if handler is not None:
            self.scope.guards.pop()
        self.visit_all((*node.handlers, *node.orelse, *node.finalbody))

    def _push_guard(self, handler: ast.ExceptHandler, block: ast.Try | ast.TryStar) -> None:
        scope = self.scope
        found: list[RawHandler] = []

        def guard() -> RawHandler:
            if not found:  # read at most once, and only when something that matters is guarded
                is_route = any(route_of(decorator) for decorator in scope.decorators)
                found.append(read_handler(handler, block, scope.node, is_route=is_route))
            return found[0]

        scope.guards.append(guard)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        outer, self.awaiting = self.awaiting, self.awaiting or isinstance(node, ast.AsyncWith)
        self.visit_all(node.items)
        self.awaiting = outer
        handler = suppressed(node)
        if handler is not None:
            self.scope.guards.append(lambda: handler)
        self.visit_all(node.body)
        if handler is not None:
            self.scope.guards.pop()

    def _call(self, node: ast.Call) -> None:
        name = dotted(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
            if id(node) not in self.consumed:
                self._enqueue(node, node.func)
        else:
            self._plain_call(node, name)
        if self.scope.body is not None:
            self.scope.body.note_call(node, name)
        outer = self.awaiting
        self.awaiting = self._awaits_arguments(node, name)
        self.visit_children(node)
        self.awaiting = outer

    def _awaits_arguments(self, node: ast.Call, name: str) -> bool:
        """Tell whether the coroutines that a call is given are waited for, and note the functions that are."""
        last = name.rpartition(".")[2]
        awaited = node is self.awaited
        if name in RUNNING or last == "run_until_complete" or (awaited and last in IN_THREADS):
            functions = (one for one in node.args if isinstance(one, (ast.Name, ast.Attribute)))
            self.calling.awaited.update((dotted(one), None) for one in functions)
            return True
        return awaited if last in STARTING else self.awaiting

    def _await(self, node: ast.Await) -> None:
        outer = self.awaiting, self.awaited
        self.awaiting, self.awaited = True, node.value
        self.visit(node.value)
        self.awaiting, self.awaited = outer

    def _lambda(self, node: ast.Lambda) -> None:
        self.lambdas += 1
        self._hiding(set(parameters(node)), node)
        self.lambdas -= 1

    def _note(self, name: str, line: int) -> None:
        """Remember a call of the function that is being read."""
        scope = self.calling
        scope.calls.setdefault(name, line)
        if not self.lambdas:
            scope.at_once.add(name)
            if self.awaiting:
                scope.awaited[name] = None

    def _enqueue(self, node: ast.Call, function: ast.Attribute) -> None:
        target = self._task_of(function.value)
        self._note(dotted(function), node.lineno)
        if not self.is_hidden(target):
            self.enqueues.append(self._guarded_call(node, target, function.attr))

    def _task_of(self, node: ast.expr) -> str:
        """Return the task of ``task.kicker().with_labels(…)`` and mark the inner verb as seen."""
        inner = node
        while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            if inner.func.attr in BUILDERS:
                self.consumed.add(id(inner))
                return dotted(inner.func.value)
            inner = inner.func.value
        return dotted(node)

    def _plain_call(self, node: ast.Call, name: str) -> None:
        kind = call_kind(name)
        if kind is CallKind.PURE and name.rpartition(".")[2][:1].isupper() and not self.lambdas:
            self.calling.made[name] = None
        if kind is CallKind.WRITE:
            self.scope.writes = True
            self._note(name, node.lineno)  # it may be a function of the target all the same
        elif kind is CallKind.OTHER:
            self._note(name, node.lineno)
            if self.scope.guards and "?" not in name and "(" not in name and not self.is_hidden(name):
                self.guarded.append(self._guarded_call(node, name, ""))

    def _guarded_call(self, node: ast.Call, target: str, verb: str) -> GuardedCall:
        return GuardedCall(
            line=node.lineno,
            function=self.scope.qualname,
            target=target,
            text=self.text(node.lineno, node.lineno),
            verb=verb,
            handlers=tuple(guard() for guard in reversed(self.scope.guards)),
            in_loop=self.scope.loops > 0,
        )


def _last_line(function: FunctionNode) -> int:
    last = function.body[-1]
    return last.lineno - 1 if isinstance(last, (ast.Return, ast.Raise)) else last.end_lineno or last.lineno


def _plain_annotation(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if node.value.replace(".", "").isidentifier() else ""
    return dotted(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


def _brokers(node: ast.ClassDef) -> Bindings:
    """Return the attributes of a class that its body makes by something that is called a broker."""
    found: Bindings = {}
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            made = tuple(one for one in bindings_of(statement.value) if _BROKER.search(one.attribute))
            found.update((target.id, made) for target in statement.targets if isinstance(target, ast.Name) and made)
    return found


def _methods(call: ast.Call) -> tuple[str, ...]:
    for keyword in call.keywords:
        if keyword.arg == "methods" and isinstance(keyword.value, (ast.List, ast.Tuple, ast.Set)):
            values = (element.value for element in keyword.value.elts if isinstance(element, ast.Constant))
            return tuple(value for value in values if isinstance(value, str))
    return ()


def _body_facts(scope: Scope) -> FunctionFacts:
    return FunctionFacts(
        qualname=scope.qualname,
        line=0,
        is_async=False,
        decorators=(),
        bindings={},
        calls=scope.calls,
        raises=False,
        writes=False,
        definition=None,
        awaited=tuple(scope.awaited),
        made=tuple(scope.made),
        deferred=tuple(name for name in scope.calls if name not in scope.at_once),
    )
