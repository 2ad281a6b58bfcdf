"""The defaults of settings that are read from the environment, under the names by which other modules use them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from doctor.redaction import redact
from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.in_code import any_in_code
from doctor.source.unset import Unset, Value
from doctor.source.walk import walk


@dataclass(frozen=True, slots=True)
class SettingDefault:
    """``name`` is the full dotted name of a setting, ``value`` what it is when no environment variable is set."""

    path: str
    line: int
    text: str
    name: str
    value: Any


def _collect(module: Module) -> Iterator[SettingDefault]:
    unset = Unset(module)
    defaults = [(name, value) for name, value in unset.names.items() if "." not in name and _is_default(value)]
    lines = _lines(module.nodes) if defaults else {}
    for name, value in defaults:
        yield _default(module, name, value, lines.get(name, 1))
    holders = _objects(module)
    for owner, node in unset.classes.items():
        values = dict(unset.attributes(owner))
        for method in node.body:
            if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and method.decorator_list:
                values[method.name] = unset.of(_of_self(method.name), {}, owner)
        defaults = [(name, value) for name, value in values.items() if _is_default(value)]
        lines = _lines(walk(node)) if defaults else {}
        for name, value in defaults:
            for holder in (owner, *holders.get(owner, ())):
                yield _default(module, f"{holder}.{name}", value, lines.get(name, 1))


def _is_default(value: Value) -> bool:
    return value.known and value.environment and isinstance(value.value, (bool, str, int, type(None)))


def _default(module: Module, name: str, value: Value, line: int) -> SettingDefault:
    return SettingDefault(module.path, line, module.line(line), f"{module.name}.{name}", _shown(name, value.value))


def _shown(name: str, value: Any) -> Any:
    """Return the value, or what stands for it when its name says that it is a secret: only a mode is compared."""
    if not isinstance(value, str):
        return value
    assignment = f"{name} = {value!r}"
    shown = redact(assignment)
    return value if shown == assignment else shown.partition(" = ")[2].strip("'\"")


def _objects(module: Module) -> dict[str, list[str]]:
    """Return, by class, the names of the module that hold an object of it, and the functions that return one."""
    found: dict[str, list[str]] = {}
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            last = node.body[-1]
            if isinstance(last, ast.Return) and isinstance(last.value, ast.Call):
                found.setdefault(dotted(last.value.func), []).append(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.setdefault(dotted(node.value.func), []).extend(map(dotted, targets))
    return found


def _of_self(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("self", ast.Load()), name, ast.Load())


def _lines(nodes: Iterable[ast.AST]) -> dict[str, int]:
    """Return the first line at which each name is defined or assigned."""
    found: dict[str, int] = {}
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.setdefault(node.name, node.lineno)
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            found.setdefault(dotted(node).rpartition(".")[2], node.lineno)
    return found


_READERS = re.compile(rb"\bgetenv\b|\benviron\b|\bdecouple\b|\bBaseSettings\b")
"""Without any of these nothing comes from the environment (:data:`doctor.source.unset.READERS`)."""

COLLECTOR = Collector(
    "setting-defaults",
    1,
    (b"BaseSettings", b"ENVIRONMENT", b"UNVERIFIED"),
    _collect,
    looks=lambda content: any_in_code(content, _READERS.finditer(content)),
    asked_by=("tokens",),
)
