"""Calls that enqueue and return a coroutine, whose result nobody takes: the coroutine never runs."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import dotted
from doctor.source.facts import MODULE_LEVEL


@dataclass(frozen=True, slots=True)
class UnawaitedEnqueue:
    """A statement without ``await``: ``score.kiq(1)``, or ``sent = score.kiq(1)`` where nothing reads ``sent``.

    ``library`` is ``taskiq`` or ``arq``. ``apart``: it stands in a test or an example, where the object may be a mock.
    """

    path: str
    line: int
    function: str
    text: str
    target: str
    verb: str
    library: str
    in_coroutine: bool
    apart: bool = False


@dataclass(frozen=True, slots=True)
class PlainKiq:
    """A ``kiq`` of one's own that is no coroutine: a method, or something that is put in its place."""

    path: str


def _collect(module: Module) -> Iterator[UnawaitedEnqueue | PlainKiq]:
    if _has_a_plain_kiq(module):
        yield PlainKiq(module.path)
    imports_arq = any(origin.partition(".")[0] == "arq" for origin in module.origins.values())
    verbs = {"kiq", "enqueue_job"} if imports_arq else {"kiq"}
    for call, callee in _thrown_away(module, verbs):
        function = module.enclosing(call.lineno)
        yield UnawaitedEnqueue(
            module.path,
            call.lineno,
            function,
            module.line(call.lineno),
            dotted(callee.value),
            callee.attr,
            "taskiq" if callee.attr == "kiq" else "arq",
            isinstance(dict(module.functions).get(function), ast.AsyncFunctionDef),
            APART.search(module.path) is not None,
        )


def _has_a_plain_kiq(module: Module) -> bool:
    methods = any(name.endswith(".kiq") and isinstance(node, ast.FunctionDef) for name, node in module.functions)
    return methods or any(
        dotted(target).endswith(".kiq") and not dotted(node.value).endswith(".kiq")
        for node in module.nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
    )


def _thrown_away(module: Module, verbs: Collection[str]) -> Iterator[tuple[ast.Call, ast.Attribute]]:
    """Yield the calls of these methods whose result nobody can take any more, each with what it calls."""
    for node in module.nodes:
        if not isinstance(node, (ast.Expr, ast.Assign)):
            continue
        for one in _results(node.value):
            made = one.elt if isinstance(one, ast.ListComp) else one
            if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Attribute):
                continue
            if made.func.attr in verbs and (isinstance(node, ast.Expr) or _is_kept_nowhere(node, module)):
                yield made, made.func


def _results(value: ast.expr) -> list[ast.expr]:
    """Return the expressions of which a statement's value is made."""
    if isinstance(value, (ast.List, ast.Tuple)):
        return value.elts
    if isinstance(value, ast.BoolOp):
        return value.values
    return [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]


def _is_kept_nowhere(node: ast.Assign, module: Module) -> bool:
    """Whether a value is given to one local name, or to ``_``, that neither its function nor one inside it reads."""
    name = dotted(node.targets[0]) if len(node.targets) == 1 else ""
    function = module.enclosing(node.lineno)
    if not name.isidentifier() or (function == MODULE_LEVEL and name != "_"):
        return False
    return not any(
        _takes(one, name) and f"{module.enclosing(one.lineno)}.".startswith(f"{function}.")  # type: ignore[attr-defined]
        for one in module.nodes
    )


def _takes(node: ast.AST, name: str) -> bool:
    """Whether a node reads a name, or says that it is another function's or the module's."""
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return name in node.names
    return isinstance(node, ast.Name) and node.id in (name, "locals") and isinstance(node.ctx, ast.Load)


COLLECTOR = Collector("unawaited-enqueues", 4, (b".kiq(", b".enqueue_job(", b"def kiq("), _collect)
