"""The defaults of settings that are read from the environment, under the names by which other modules use them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.unset import Unset, Value


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
    for name, value in unset.names.items():
        if "." not in name and _is_default(value):
            yield _default(module, name, value, _line_of(module.tree, name))
    holders = _objects(module)
    for owner, node in unset.classes.items():
        values = dict(unset.attributes(owner))
        for method in node.body:
            if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and method.decorator_list:
                values[method.name] = unset.of(_of_self(method.name), {}, owner)
        for name, value in values.items():
            if _is_default(value):
                line = _line_of(node, name)
                for holder in (owner, *holders.get(owner, ())):
                    yield _default(module, f"{holder}.{name}", value, line)


def _is_default(value: Value) -> bool:
    return value.known and value.environment and isinstance(value.value, (bool, str, int, type(None)))


def _default(module: Module, name: str, value: Value, line: int) -> SettingDefault:
    return SettingDefault(module.path, line, module.line(line), f"{module.name}.{name}", value.value)


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


def _line_of(node: ast.AST, name: str) -> int:
    for one in ast.walk(node):
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found = one.name
        elif isinstance(one, (ast.Name, ast.Attribute)) and isinstance(one.ctx, ast.Store):
            found = dotted(one).rpartition(".")[2]
        else:
            continue
        if found == name:
            return one.lineno
    return 1


COLLECTOR = Collector("setting-defaults", 1, (b"BaseSettings", b"ENVIRONMENT", b"UNVERIFIED"), _collect)
