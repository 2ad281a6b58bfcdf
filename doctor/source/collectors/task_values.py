"""What a file uses without calling it, and may so send as a task: functions, and full names written as texts.

``task = cancel_event`` in a class, ``[refresh, clean]``, ``return refresh``, ``dispatch(refresh)``, ``refresh.delay``
as a callback, ``refresh.schedule_by_cron(…)``; ``"app.tasks.clean"`` in a list of steps;
``getattr(tasks, f"update_{part}")``.
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
    ast.Yield: lambda node: (node.value,),
    ast.Lambda: lambda node: (node.body,),
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

_SCHEDULES = frozenset({"schedule_by_cron", "schedule_by_interval", "schedule_by_time"})
"""Methods of TaskIQ's tasks that give the task to a source of schedules."""


def _collect(module: Module) -> Iterator[str]:
    """Yield each once: the last name of a function, a full name, or a module and :data:`ANY`."""
    decorators = {decorator for _, function in module.functions for decorator in function.decorator_list}
    found: dict[str, None] = {}
    for node in module.nodes:
        values = _VALUES.get(node.__class__)
        if values is None or (isinstance(node, ast.Call) and _is_replacing(node)):
            continue
        taken = values(node)
        if isinstance(node, ast.Call) and node in decorators:  # the name that it gives a task sends nothing
            taken = [one for one in taken if not isinstance(one, ast.Constant)]
        found |= dict.fromkeys(name for value in taken for name in _spoken_of(value, module))
        if isinstance(node, ast.Call):
            found |= dict.fromkeys(_by_its_callee(node, module))
        elif isinstance(node, ast.Lambda) and isinstance(node.body, ast.Call):
            found |= dict.fromkeys(_spoken_of(node.body.func, module))  # whoever has the lambda may call it
    yield from found


def _is_replacing(call: ast.Call) -> bool:
    return dotted(call.func).rpartition(".")[2] in _REPLACING


def _spoken_of(value: ast.expr | None, module: Module) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        if isinstance(value.value, str) and _FULL_NAME.fullmatch(value.value):
            yield value.value.replace(":", ".")
        return
    if isinstance(value, ast.Attribute) and value.attr in VERBS:
        value = value.value
    if isinstance(value, (ast.Name, ast.Attribute)):
        name = module.origin(value).rpartition(".")[2]
        if dotted(value).partition(".")[0] in module.origins or name in module.short_names:
            yield name


def _by_its_callee(call: ast.Call, module: Module) -> Iterator[str]:
    """Yield the task that a call schedules, or the module in which ``getattr`` looks for what is no plain text."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _SCHEDULES:
        yield from _spoken_of(call.func.value, module)
    elif dotted(call.func) == "getattr" and len(call.args) > 1:
        owner, name = call.args[:2]
        if isinstance(owner, ast.Name) and owner.id in module.origins and not isinstance(name, ast.Constant):
            yield f"{module.absolute(module.origin(owner))}.{ANY}"


COLLECTOR = Collector("task-values", 2, (), _collect, linked=True)
