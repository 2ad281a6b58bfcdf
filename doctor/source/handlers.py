"""What an ``except`` does with the exception: raise it, record it, tell the caller, or just log it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doctor.source.call_kinds import CallKind, call_kind, log_call
from doctor.source.expressions import FunctionNode, dotted
from doctor.source.facts import LogCall, Outcome
from doctor.source.module_facts import RawHandler
from doctor.source.walk import children, walk

BROAD = frozenset({"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"})

_FAILURE = re.compile(r"error|fail|unavailable|exception|rejected", re.IGNORECASE)


def broad_handler(node: ast.Try | ast.TryStar) -> ast.ExceptHandler | None:
    """Return the handler that catches whatever an enqueue may raise, or None."""
    for handler in node.handlers:
        caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if handler.type is None or any(dotted(one) in BROAD for one in caught):
            return handler
    return None


def suppressed(node: ast.With | ast.AsyncWith) -> RawHandler | None:
    """Return ``with suppress(Exception)`` as a handler that leaves nothing behind, or None."""
    for item in node.items:
        call = item.context_expr
        if not isinstance(call, ast.Call) or dotted(call.func) not in ("suppress", "contextlib.suppress"):
            continue
        if any(dotted(argument) in BROAD for argument in call.args):
            return RawHandler(node.lineno, ast.unparse(call), Outcome.LOGS_ONLY)
    return None


def read_handler(
    handler: ast.ExceptHandler, block: ast.Try | ast.TryStar, function: FunctionNode | ast.Module, *, is_route: bool
) -> RawHandler:
    """Read a broad ``handler`` of ``block`` in ``function``; a route that returns has answered success."""
    reading = _Reading(handler, block, function, is_route)
    reading.statements(handler.body)
    if not reading.returned and reading.is_told_by_none() and not reading.goes_on_as_if_well():
        reading.reports = True
    caught = "" if handler.type is None else ast.unparse(handler.type)
    return RawHandler(handler.lineno, caught, reading.outcome, tuple(dict.fromkeys(reading.calls)), reading.log)


@dataclass
class _Reading:
    handler: ast.ExceptHandler
    block: ast.Try | ast.TryStar
    function: FunctionNode | ast.Module
    is_route: bool

    def __post_init__(self) -> None:
        self.raises = self.records = self.reports = self.returned = False
        self.calls: list[str] = []
        self.log: LogCall | None = None

    @property
    def outcome(self) -> Outcome:
        """The strongest thing that any path through the handler does: where it is mixed, the check stays silent."""
        if self.raises:
            return Outcome.RAISES
        if self.records:
            return Outcome.RECORDS
        return Outcome.REPORTS if self.reports else Outcome.LOGS_ONLY

    def statements(self, body: Iterable[ast.stmt]) -> None:
        """Read each statement, and those inside it."""
        for statement in body:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return
        if isinstance(statement, (ast.Raise, ast.Assert)):
            self.raises = True
        elif isinstance(statement, ast.Return):
            self.returned = True
            self.reports |= self._tells(statement.value)
        elif isinstance(statement, ast.Delete):
            self.reports = True
        elif isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            self.reports |= any(self._is_seen_later(target) for target in targets)
        for name in statement._fields:
            value = getattr(statement, name, None)
            for part in value if isinstance(value, list) else [value]:
                self._part(part)

    def _part(self, part: object) -> None:
        if isinstance(part, ast.stmt):
            self._statement(part)
        elif isinstance(part, ast.expr):
            self._expression(part)
        elif isinstance(part, ast.withitem):
            self._expression(part.context_expr)
        elif isinstance(part, (ast.ExceptHandler, ast.match_case)):
            self.statements(part.body)

    def _expression(self, expression: ast.expr) -> None:
        if isinstance(expression, (ast.Yield, ast.YieldFrom)):
            self.reports = True
        if isinstance(expression, ast.Call):
            kind = call_kind(dotted(expression.func))
            if kind is CallKind.LOG:
                self.log = self.log or log_call(expression)
                return  # what its arguments call only makes the text
            self.raises |= kind is CallKind.EXIT
            self.records |= kind is CallKind.WRITE
            if kind is CallKind.OTHER:
                self.calls.append(dotted(expression.func))
        for child in ast.iter_child_nodes(expression):
            if isinstance(child, ast.expr):
                self._expression(child)
            elif isinstance(child, ast.keyword):
                self._expression(child.value)

    def _is_seen_later(self, target: ast.expr) -> bool:
        """Tell whether an assignment is seen by anybody but the handler itself."""
        if not isinstance(target, ast.Name):
            return True
        first, last = self.handler.lineno, self.handler.end_lineno or self.handler.lineno
        return any(
            isinstance(node, ast.Name)
            and node.id == target.id
            and isinstance(node.ctx, ast.Load)
            and not first <= node.lineno <= last
            for node in walk(self.function)
        )

    def _tells(self, value: ast.expr | None) -> bool:
        """Tell whether a returned value lets the caller know that something failed."""
        if value is None or (isinstance(value, ast.Constant) and value.value is None):
            return self.is_told_by_none()
        return any(_is_failure(node, self.handler.name) for node in walk(value))

    def goes_on_as_if_well(self) -> bool:
        """Tell whether what the function returns after the block is the same when the block fails.

        So it is when the block has no part in that value, and when neither the block nor what follows returns any.
        """
        end = self.block.end_lineno or self.block.lineno
        later = [node for node in own_nodes(self.function.body) if getattr(node, "lineno", 0) > end]
        read = {node.id for node in later if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        inside = list(own_nodes((*self.block.body, *self.block.orelse)))
        made = {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        if any(_has_value(node) for node in later):
            return not made & read
        return not any(_has_value(node) for node in inside)

    def is_told_by_none(self) -> bool:
        """Tell whether None differs from what the function returns when all goes well. A route's None is a success."""
        if self.is_route or isinstance(self.function, ast.Module):
            return False
        inside = set(map(id, walk(self.handler)))
        return any(id(node) not in inside and _has_value(node) for node in own_nodes(self.function.body))


def _has_value(node: ast.AST) -> bool:
    if not isinstance(node, ast.Return) or node.value is None:
        return False
    return not (isinstance(node.value, ast.Constant) and node.value.value is None)


def _is_failure(node: ast.AST, exception: str | None) -> bool:
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            return value is False
        if isinstance(value, int):
            return 400 <= value < 600 or value < 0
        return isinstance(value, str) and _FAILURE.search(value) is not None
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub)
    if isinstance(node, ast.Attribute):
        return node.attr.startswith(("HTTP_4", "HTTP_5")) or _FAILURE.search(node.attr) is not None
    return isinstance(node, ast.Name) and (node.id == exception or _FAILURE.search(node.id) is not None)


def own_nodes(body: Sequence[ast.stmt]) -> Iterable[ast.AST]:
    """Yield the nodes of a function's body without those of functions and classes inside it."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            pending.extend(children(node))
