"""Log calls of loguru whose message has printf placeholders (loguru fills in ``{}`` and keeps ``%s`` as it is)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module

LEVELS = frozenset({"trace", "debug", "info", "success", "warning", "error", "critical", "exception"})
PLACEHOLDER = re.compile(r"%(?:\((?P<name>\w+)\))?[#0\- +]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[diouxXeEfFgGcrsa]")
"""A conversion of printf-style formatting, as Python's documentation of the % operator lists them."""


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
        found = PLACEHOLDER.findall(message.value.replace("%%", ""))
        whole = [match[0] for match in PLACEHOLDER.finditer(message.value.replace("%%", ""))]
        if found and "{" not in message.value:
            plain = all(each in ("%s", "%d") for each in whole) and len(whole) == len(node.args) - 1
            plain = plain and not any(isinstance(argument, ast.Starred) for argument in node.args)
            yield LostArguments(
                module.path,
                node.lineno,
                module.enclosing(node.lineno),
                module.line(node.lineno),
                len(whole),
                len(node.args) - 1,
                plain and "%%" not in message.value,
            )


def _is_loguru(node: ast.expr, module: Module) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):  # logger.bind(…).opt(…)
        node = node.func.value
    return module.origin(node) == "loguru.logger"


COLLECTOR = Collector("log-arguments", 1, (b"loguru",), _collect)
