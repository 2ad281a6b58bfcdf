"""What a file uses without calling it, and may so send as a task: functions, and full names written as texts.

``task = cancel_event`` in a class, ``[refresh, clean]``, ``return refresh``, ``dispatch(refresh)``, ``refresh.delay``
as a callback; ``"app.tasks.clean"`` in a list of steps; ``getattr(tasks, f"update_{part}")``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.libraries import VERBS

ANY = "*"
"""Stands for a name that nobody can read, behind the module that it is looked up in."""

_FULL_NAME = re.compile(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)+")
_REPLACING = frozenset({"patch", "setattr"})
"""Calls of a test that name what they replace."""

_VALUES: dict[type[ast.AST], Callable[..., Iterable[ast.expr | None]]] = {
    ast.Assign: lambda node: (node.value,),
    ast.AnnAssign: lambda node: (node.value,),
    ast.NamedExpr: lambda node: (node.value,),
    ast.Return: lambda node: (node.value,),
    ast.IfExp: lambda node: (node.body, node.orelse),
    ast.BoolOp: lambda node: node.values,
    ast.List: lambda node: node.elts,
    ast.Tuple: lambda node: node.elts,
    ast.Set: lambda node: node.elts,
    ast.Dict: lambda node: node.values,
    ast.arguments: lambda node: (*node.defaults, *node.kw_defaults),
    ast.Call: lambda node: (*node.args, *(keyword.value for keyword in node.keywords)),
}
"""The expressions inside a node whose value it takes over as it is."""


def _collect(module: Module) -> Iterator[str]:
    """Yield each once: the last name of a function, a full name, or a module and :data:`ANY`."""
    apart = _apart(module)
    found: dict[str, None] = {}
    for node in module.nodes:
        values = _VALUES.get(node.__class__)
        if values is None or node in apart:
            continue
        found |= dict.fromkeys(name for value in values(node) for name in _spoken_of(value, module))
        if isinstance(node, ast.Call) and dotted(node.func) == "getattr" and len(node.args) > 1:
            found |= dict.fromkeys(_looked_up(node, module))
    yield from found


def _apart(module: Module) -> set[ast.AST]:
    """Return the calls that register or replace a function: what they name is not sent by them."""
    decorators = {decorator for _, function in module.functions for decorator in function.decorator_list}
    replacing = {
        node
        for node in module.nodes
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _REPLACING
    }
    return decorators | replacing


def _spoken_of(value: ast.expr | None, module: Module) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        if isinstance(value.value, str) and _FULL_NAME.fullmatch(value.value):
            yield value.value.replace(":", ".")
        return
    if isinstance(value, ast.Attribute) and value.attr in VERBS:
        value = value.value
    if isinstance(value, (ast.Name, ast.Attribute)):
        name = dotted(value)
        if name.partition(".")[0] in module.origins or name in module.short_names:
            yield module.origin(value).rpartition(".")[2]


def _looked_up(call: ast.Call, module: Module) -> Iterator[str]:
    """Yield the module in which ``getattr`` looks for a name that is no plain text."""
    owner, name = call.args[:2]
    if isinstance(owner, ast.Name) and owner.id in module.origins and not isinstance(name, ast.Constant):
        yield f"{module.absolute(module.origin(owner))}.{ANY}"


COLLECTOR = Collector("task-values", 1, (), _collect, linked=True)
