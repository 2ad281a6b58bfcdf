"""Calls that enqueue and return a coroutine, whose result nobody takes: the coroutine never runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted


@dataclass(frozen=True, slots=True)
class UnawaitedEnqueue:
    """A statement such as ``score.kiq(1)`` without ``await``. ``library`` is ``taskiq`` or ``arq``."""

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
    for node in module.nodes:
        if not isinstance(node, ast.Expr):
            continue
        call = node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        verb = call.func.attr
        if verb == "kiq" or (verb == "enqueue_job" and imports_arq):
            function = module.enclosing(node.lineno)
            yield UnawaitedEnqueue(
                module.path,
                node.lineno,
                function,
                module.line(node.lineno),
                dotted(call.func.value),
                verb,
                "taskiq" if verb == "kiq" else "arq",
                isinstance(dict(module.functions).get(function), ast.AsyncFunctionDef),
            )


COLLECTOR = Collector("unawaited-enqueues", 1, (b".kiq(", b".enqueue_job("), _collect)
