"""Calls that enqueue and return a coroutine, whose result nobody takes: the coroutine never runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted


@dataclass(frozen=True, slots=True)
class UnawaitedEnqueue:
    """A statement such as ``score.kiq(1)`` or ``_ = score.kiq(1)`` without ``await``.

    ``library`` is ``taskiq`` or ``arq``.
    """

    path: str
    line: int
    function: str
    text: str
    target: str
    verb: str
    library: str
    in_coroutine: bool


def _collect(module: Module) -> Iterator[UnawaitedEnqueue]:
    imports_arq = any(origin.partition(".")[0] == "arq" for origin in module.origins.values())
    for call in _thrown_away(module):
        if not isinstance(call.func, ast.Attribute):
            continue
        verb = call.func.attr
        if verb == "kiq" or (verb == "enqueue_job" and imports_arq):
            function = module.enclosing(call.lineno)
            yield UnawaitedEnqueue(
                module.path,
                call.lineno,
                function,
                module.line(call.lineno),
                dotted(call.func.value),
                verb,
                "taskiq" if verb == "kiq" else "arq",
                isinstance(dict(module.functions).get(function), ast.AsyncFunctionDef),
            )


def _thrown_away(module: Module) -> Iterator[ast.Call]:
    """Yield the calls whose result nobody can take any more."""
    for node in module.nodes:
        if isinstance(node, ast.Expr):
            value = node.value
        elif isinstance(node, ast.Assign) and [dotted(one) for one in node.targets] == ["_"]:
            if _reads_underscore(module, node.lineno):
                continue
            value = node.value
        else:
            continue
        values = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
        for one in values:
            made = one.elt if isinstance(one, ast.ListComp) else one
            if isinstance(made, ast.Call):
                yield made


def _reads_underscore(module: Module, line: int) -> bool:
    """Whether the function around the line, or one inside it, reads ``_`` anywhere."""
    function = module.enclosing(line)
    return any(
        isinstance(node, ast.Name)
        and node.id == "_"
        and isinstance(node.ctx, ast.Load)
        and f"{module.enclosing(node.lineno)}.".startswith(f"{function}.")
        for node in module.nodes
    )


COLLECTOR = Collector("unawaited-enqueues", 2, (b".kiq(", b".enqueue_job("), _collect)
