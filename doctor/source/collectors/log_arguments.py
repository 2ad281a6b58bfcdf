"""Log calls of loguru whose message has printf placeholders (loguru fills in ``{}`` and keeps ``%s`` as it is)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from doctor.source.collector import Collector, Module, own_nodes
from doctor.source.expressions import FunctionNode, dotted, parameters
from doctor.source.in_code import any_in_code
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
        if found and "{" not in message.value and _is_loguru(node.func.value, node.lineno, module):
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


def _is_loguru(node: ast.expr, line: int, module: Module) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):  # logger.bind(…).opt(…)
        node = node.func.value
    return module.origin(node) == "loguru.logger" and _is_only_imported(dotted(node).partition(".")[0], line, module)


def _is_only_imported(name: str, line: int, module: Module) -> bool:
    """Whether a name on a line comes from imports of loguru alone: in the innermost scope around that binds it."""
    scope, functions = module.enclosing(line), dict(module.functions)
    while scope in functions:
        function = functions[scope]
        if name in parameters(function):
            return False
        if bound := set(_bindings(name, function)):
            return bound == {True}
        scope = scope.rpartition(".<locals>.")[0]
    return set(_bindings(name, module.tree)) <= {True}


def _bindings(name: str, scope: FunctionNode | ast.Module) -> Iterator[bool]:
    """Yield for each place that binds a name in a scope whether it is an import of loguru."""
    for node in own_nodes(scope):
        if isinstance(node, ast.Import):
            yield from (alias.name == "loguru" for alias in node.names if name == (alias.asname or alias.name))
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module == "loguru" for alias in node.names if name == (alias.asname or alias.name))
        elif isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            yield False


_IMPORT = re.compile(rb"(?:from|import)\s+loguru\b")

COLLECTOR = Collector(
    "log-arguments",
    4,
    (b"loguru",),
    _collect,
    looks=lambda content: any_in_code(content, _IMPORT.finditer(content)),
)
