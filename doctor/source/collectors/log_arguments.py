"""Log calls of loguru whose message has printf placeholders (loguru fills in ``{}`` and keeps ``%s`` as it is)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.printf import are_plain, placeholders

LEVELS = frozenset({"trace", "debug", "info", "success", "warning", "error", "critical", "exception"})


@dataclass(frozen=True, slots=True)
class LostArguments:
    """A call such as ``logger.warning("no model %s", name)``. ``plain``: every placeholder is a bare ``%s`` or ``%d``
    and there are as many as arguments, so that ``{}`` means the same."""

    path: str
    line: int
    function: str
    text: str
    placeholders: int
    arguments: int
    plain: bool


def _collect(module: Module) -> Iterator[LostArguments]:
    for node in module.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in LEVELS:
            continue
        if not _is_loguru(node.func.value, module) or len(node.args) < 2:
            continue
        message = node.args[0]
        if not isinstance(message, ast.Constant) or not isinstance(message.value, str):
            continue
        found, arguments = placeholders(message.value), len(node.args) - 1
        if found and "{" not in message.value:
            starred = any(isinstance(argument, ast.Starred) for argument in node.args)
            yield LostArguments(
                module.path,
                node.lineno,
                module.enclosing(node.lineno),
                module.line(node.lineno),
                len(found),
                arguments,
                are_plain(message.value, arguments) and not starred,
            )


def _is_loguru(node: ast.expr, module: Module) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):  # logger.bind(…).opt(…)
        node = node.func.value
    return module.origin(node) == "loguru.logger"


COLLECTOR = Collector("log-arguments", 2, (b"loguru",), _collect)
