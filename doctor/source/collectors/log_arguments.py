"""Log calls of loguru whose message has printf placeholders (loguru fills in ``{}`` and keeps ``%s`` as it is)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.printf import are_plain, placeholders

BY_LEVEL = "log"
"""The method that takes the level first."""

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
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        message, *given = _parts(node, node.func.attr)
        if not given or not isinstance(message, ast.Constant) or not isinstance(message.value, str):
            continue
        found = placeholders(message.value)
        if found and "{" not in message.value and _is_loguru(node.func.value, module):
            starred = any(isinstance(argument, ast.Starred) for argument in given)
            yield LostArguments(
                module.path,
                node.lineno,
                module.enclosing(node.lineno),
                module.line(node.lineno),
                len(found),
                len(given),
                node.func.attr != BY_LEVEL
                and are_plain(message.value, len(given))
                and not starred
                and _are_written_out(found, message, module),
            )


def _parts(call: ast.Call, method: str) -> list[ast.expr | None]:
    """Return the message and its arguments of a call that writes a line of a log; None alone for any other call."""
    if method == BY_LEVEL:
        return [*call.args[1:]] or [None]
    return [*call.args] if method in LEVELS and call.args else [None]


def _are_written_out(found: Sequence[str], message: ast.Constant, module: Module) -> bool:
    """Whether the source shows the placeholders as they are, and not as ``\\x25s``."""
    lines = module.lines[message.lineno - 1 : message.end_lineno]
    return len(placeholders("\n".join(lines))) >= len(found)


def _is_loguru(node: ast.expr, module: Module) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):  # logger.bind(…).opt(…)
        node = node.func.value
    return module.origin(node) == "loguru.logger"


COLLECTOR = Collector("log-arguments", 3, (b"loguru",), _collect)
