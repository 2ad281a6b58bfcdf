"""Functions that the source itself gives a method of tasks, or replaces in their module.

``send.delay = later``, ``setattr(send, "delay", …)``, ``send.__dict__["delay"] = …``; ``jobs.send = task(jobs.send)``,
``globals()["send"] = task(send)``. What a test does to a function, the application does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART
from doctor.source.collectors.task_values import ANY
from doctor.source.expressions import dotted
from doctor.source.libraries import VERBS, VERBS_OF_TASKS_ONLY


def _collect(module: Module) -> Iterator[str]:
    """Yield the last name of each that is given a method, ``=name`` of each that is replaced.

    :data:`ANY` stands for what a variable holds; behind a module, for a name that nobody can read.
    """
    if APART.search(module.path):
        return
    for node in module.nodes:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and not isinstance(node.value, (ast.Constant, type(None))):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for one in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                    yield from _by_target(one, module)
        elif isinstance(node, ast.Call):
            yield from _by_call(node, module)


def _by_target(target: ast.expr, module: Module) -> Iterator[str]:
    if isinstance(target, ast.Attribute):
        if target.attr in VERBS:
            yield from _owner(target.value, module, target.attr)
        elif dotted(target.value).partition(".")[0] in module.origins:
            yield f"={target.attr}"
    elif isinstance(target, ast.Subscript):
        key = _text(target.slice)
        if _is_own_namespace(target.value):
            yield f"{module.name}.{ANY}" if key is None else f"={key}"
        elif (owner := _whose_namespace(target.value)) is not None and (key is None or key in VERBS):
            yield from _owner(owner, module, key)


def _by_call(call: ast.Call, module: Module) -> Iterator[str]:
    if dotted(call.func) == "setattr" and len(call.args) > 1:
        owner, name = call.args[0], _text(call.args[1])
        if name is None:
            if _writes_a_verb(module):
                yield from _owner(owner, module)
            yield f"{module.absolute(module.origin(owner))}.{ANY}"
        elif name in VERBS:
            yield from _owner(owner, module, name)
        else:
            yield f"={name}"
    elif isinstance(call.func, ast.Attribute) and call.func.attr == "update":
        if _is_own_namespace(call.func.value):
            yield f"{module.name}.{ANY}"
        elif (whose := _whose_namespace(call.func.value)) is not None:
            yield from _owner(whose, module)


def _writes_a_verb(module: Module) -> bool:
    """Whether a verb stands in a file as a text: only then may a name that nobody can read be one."""
    return any(_text(node) in VERBS_OF_TASKS_ONLY for node in module.nodes if isinstance(node, ast.Constant))


def _owner(node: ast.expr, module: Module, verb: str | None = None) -> Iterator[str]:
    if not isinstance(node, ast.Name) or node.id in module.origins or node.id in module.short_names:
        yield module.origin(node).rpartition(".")[2]
    elif node.id not in ("self", "cls") and (verb is None or verb in VERBS_OF_TASKS_ONLY):
        yield ANY


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_own_namespace(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func) in ("globals", "vars") and not node.args


def _whose_namespace(node: ast.expr) -> ast.expr | None:
    """Return the object of ``object.__dict__`` and ``vars(object)``."""
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        return node.value
    return node.args[0] if isinstance(node, ast.Call) and dotted(node.func) == "vars" and node.args else None


COLLECTOR = Collector("attached-verbs", 3, (), _collect, linked=True)
