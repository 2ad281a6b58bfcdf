"""What tenacity tries again, and the ``except RetryError`` around it.

With ``reraise=True`` tenacity raises the last exception itself; ``RetryError`` comes only when it gave up on a *result*
(measured on tenacity 9.2).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from doctor.source.call_kinds import CallKind, call_kind
from doctor.source.collector import Collector, Module, own_nodes
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import dotted, parameters
from doctor.source.handlers import BROAD
from doctor.source.libraries import VERBS

_OBJECTS = frozenset({"retry", "Retrying", "AsyncRetrying", "TornadoRetrying"})
_BY_EXCEPTION = frozenset(
    {
        "retry_if_exception",
        "retry_if_exception_cause_type",
        "retry_if_exception_message",
        "retry_if_exception_type",
        "retry_if_not_exception_type",
    }
)
"""Conditions that look at nothing but an exception; the others of tenacity also try again after a result."""

_RECORDS = re.compile(r"dead_?letter|dlq|(?:^|_)fail(?:ed|ures?)(?:_|$)|(?:^|_)(?:record|persist)_", re.IGNORECASE)


class Ending(StrEnum):
    """What tenacity raises when it gives up."""

    LAST_EXCEPTION = "the last exception"
    RETRY_ERROR = "RetryError"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Retrying:
    """What a block of code has tenacity try again, at ``place`` (``path:line``; empty: nothing).

    ``calls`` are the functions (``module.qualname``; ``.name`` for a method of an object) that are called besides;
    ``tried`` those inside the attempts. ``unknown``: something is called of which nothing is known.
    """

    ending: Ending
    place: str
    text: str
    calls: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class RetryingFunction:
    """A function that tenacity decorates, or in which it is used."""

    identity: str
    retrying: Retrying


@dataclass(frozen=True, slots=True)
class RetryHandler:
    """An ``except RetryError``. ``records`` is what it writes down, ``or_else``: another handler beside it writes too.

    ``retrying`` says what the ``try`` around it does.
    """

    path: str
    line: int
    module: str
    function: str
    text: str
    retrying: Retrying
    records: str = ""
    records_line: int = 0
    or_else: bool = False


def _collect(module: Module) -> Iterator[RetryingFunction | RetryHandler]:
    if APART.search(module.path):
        return
    reader = _Reader(module)
    for name, function in module.functions:
        decorators = [(one, ending) for one in function.decorator_list if (ending := reader.ending(one)) is not None]
        if decorators:
            line = decorators[0][0].lineno
            ending = _joined([one for _, one in decorators])
            inside = reader.block(function.body, name)
            tried = (*inside.calls, *inside.tried)
            retrying = Retrying(ending, f"{module.path}:{line}", module.line(line), tried=tried)
        else:
            retrying = reader.block(function.body, name)
        if retrying.place:
            yield RetryingFunction(f"{module.name}.{name}", retrying)
    for node in module.nodes:
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                if handler.type is not None and module.origin(handler.type) == "tenacity.RetryError":
                    yield reader.handler(handler, node)


class _Reader:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.functions = dict(module.functions)
        self.assigned: dict[str, Ending] = {}
        """How the objects of tenacity end that have a name; unknown for a name with several values."""
        self._read_names()

    def _read_names(self) -> None:
        given = {name for _, function in self.module.functions for name in parameters(function)}
        named = [(name, value) for node in self.module.nodes for name, value in _assignments(node)]
        for name, value in named:
            if (ending := self.ending(value)) is not None:
                self.assigned[name] = Ending.UNKNOWN if name in self.assigned or name in given else ending
        for name, value in named:
            if "." in name and name in self.assigned and self.ending(value) is None:
                self.assigned[name] = Ending.UNKNOWN
        attributes = [name for name in self.assigned if "." in name]
        for name in attributes:  # the same attribute, of whatever object
            same = [self.assigned[one] for one in attributes if one.rpartition(".")[2] == name.rpartition(".")[2]]
            self.assigned[name] = _joined(same)

    def ending(self, node: ast.expr) -> Ending | None:
        """Tell how an object of tenacity ends, None for anything else.

        It is ``retry(…)``, ``Retrying(…)``, ``retry(…)(function)``, a name for one of them, or a call of that name.
        """
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Call):
            return self.ending(node.func)
        if not isinstance(node, (ast.Call, ast.Name, ast.Attribute)):
            return None
        callee = node.func if isinstance(node, ast.Call) else node
        origin = self.module.origin(callee)
        if origin.startswith("tenacity.") and origin.rpartition(".")[2] in _OBJECTS:
            return _ending(node, self.module) if isinstance(node, ast.Call) else Ending.RETRY_ERROR
        return self.assigned.get(dotted(callee))

    def block(self, body: Sequence[ast.stmt], scope: str) -> Retrying:
        """Read what some statements have tenacity try again, and what else they call."""
        endings: list[tuple[int, Ending]] = []
        attempts: set[ast.AST] = set()
        calls: dict[str, None] = {}
        tried: dict[str, None] = {}
        for node in _nodes(body):
            looped = isinstance(node, (ast.For, ast.AsyncFor))
            made = node.iter if isinstance(node, (ast.For, ast.AsyncFor)) else node
            if looped or isinstance(node, ast.Call):
                ending = self.ending(made)  # type: ignore[arg-type]
                if ending is not None:
                    endings.append((node.lineno, ending))  # type: ignore[attr-defined]
                    if isinstance(node, (ast.For, ast.AsyncFor)):
                        attempts.update(inner for statement in node.body for inner in ast.walk(statement))
                elif isinstance(node, ast.Call):
                    (tried if node in attempts else calls)[self._identity(node.func, scope)] = None
        line = endings[0][0] if endings else 0
        return Retrying(
            _joined([ending for _, ending in endings]),
            f"{self.module.path}:{line}" if line else "",
            self.module.line(line),
            tuple(name for name in calls if name not in ("", "?")),
            tuple(name for name in tried if name not in ("", "?")),
            "?" in calls,
        )

    def handler(self, handler: ast.ExceptHandler, block: ast.Try) -> RetryHandler:
        """Read an ``except RetryError``."""
        line, records = self._records(handler.body)
        scope = self.module.enclosing(handler.lineno)
        others = [one for one in block.handlers if one is not handler and _is_broad(one)]
        return RetryHandler(
            path=self.module.path,
            line=handler.lineno,
            module=self.module.name,
            function=scope,
            text=self.module.line(handler.lineno),
            retrying=self.block(block.body, scope),
            records=records,
            records_line=line,
            or_else=any(self._records(one.body)[1] for one in others),
        )

    def _records(self, body: Sequence[ast.stmt], depth: int = 2) -> tuple[int, str]:
        """Return line and text of what some statements do to write a failure down, functions of the file included."""
        for node in _nodes(body):
            if isinstance(node, ast.Call):
                called = self.functions.get(dotted(node.func))
                by_way = depth > 0 and called is not None and self._records(called.body, depth - 1)[1]
                if by_way or _is_record(node):
                    return node.lineno, f"{dotted(node.func)}(…)"
        return 0, ""

    def _identity(self, callee: ast.expr, scope: str) -> str:
        """Return who is called; empty for what cannot raise ``RetryError``, ``?`` for what nobody knows.

        A method of an object stands as ``.method``.
        """
        tenacity = self.module.origin(callee).startswith("tenacity.")
        if tenacity or call_kind(dotted(callee)) in (CallKind.LOG, CallKind.PURE):
            return ""
        return self.module.identity(callee, scope)


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield name and value of an assignment; one in the body of a class goes by the names that its methods use."""
    if isinstance(node, ast.ClassDef):
        for statement in node.body:
            for name, value in _assigned(statement):
                yield from ((f"{owner}.{name}", value) for owner in ("self", "cls", node.name))
    else:
        yield from _assigned(node)


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((dotted(target), node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield dotted(node.target), node.value


def _joined(endings: Sequence[Ending]) -> Ending:
    """Return the ending that all have, if they have one."""
    return endings[0] if len(set(endings)) == 1 else Ending.UNKNOWN


def _ending(call: ast.Call, module: Module) -> Ending:
    keywords: Mapping[str | None, ast.expr] = {keyword.arg: keyword.value for keyword in call.keywords}
    value = keywords.get("reraise")
    if None in keywords or (value is not None and not isinstance(value, ast.Constant)):
        return Ending.UNKNOWN
    if not isinstance(value, ast.Constant) or value.value is not True:
        return Ending.RETRY_ERROR
    by_exception = "retry" not in keywords or _is_by_exception(keywords["retry"], module)
    return Ending.LAST_EXCEPTION if by_exception else Ending.UNKNOWN


def _is_by_exception(condition: ast.expr, module: Module) -> bool:
    """Tell whether only an exception makes tenacity try again, so that there is one to raise in the end."""
    if isinstance(condition, ast.BinOp):
        return _is_by_exception(condition.left, module) and _is_by_exception(condition.right, module)
    if not isinstance(condition, ast.Call):
        return False
    name = module.origin(condition.func).rpartition(".")[2]
    if name in ("retry_any", "retry_all"):
        return all(_is_by_exception(one, module) for one in condition.args)
    return name in _BY_EXCEPTION


def _is_record(call: ast.Call) -> bool:
    """Tell whether a call writes something down, by its name."""
    name = dotted(call.func)
    kind, last = call_kind(name), name.rpartition(".")[2]
    if kind is CallKind.WRITE or last in VERBS:
        return True
    return kind is CallKind.OTHER and _RECORDS.search(last) is not None


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return handler.type is None or any(dotted(one) in BROAD for one in caught)


def _nodes(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    for statement in body:
        yield statement
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from own_nodes(statement)


COLLECTOR = Collector("tenacity-retries", 3, (b"tenacity",), _collect)
