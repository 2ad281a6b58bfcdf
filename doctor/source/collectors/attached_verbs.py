"""Functions that the source itself gives a method of tasks: ``send.delay = later``, ``setattr(send, "delay", …)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.libraries import VERBS


def _collect(module: Module) -> Iterator[str]:
    """Yield the last name of each owner."""
    for node in module.nodes:
        if isinstance(node, ast.Assign):
            yield from (dotted(one.value).rpartition(".")[2] for one in _targets(node) if one.attr in VERBS)
        elif isinstance(node, ast.Call) and dotted(node.func) == "setattr" and len(node.args) > 1:
            name = node.args[1]
            if not isinstance(name, ast.Constant) or name.value in VERBS:
                yield dotted(node.args[0]).rpartition(".")[2]


def _targets(node: ast.Assign) -> Iterator[ast.Attribute]:
    for target in node.targets:
        parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        yield from (one for one in parts if isinstance(one, ast.Attribute))


COLLECTOR = Collector("attached-verbs", 1, (), _collect, linked=True)
