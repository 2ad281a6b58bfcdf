"""Which functions of a module certainly check the signature of a token."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from doctor.source.collector import Module, own_nodes
from doctor.source.expressions import dotted
from doctor.source.tokens import AFTER_THE_SIGNATURE, Reading, is_base64, reading_of

_CERTAIN = frozenset({Reading.VERIFIES, Reading.DEPENDS})


class Verifying:
    """``names`` are the functions that verify, by themselves or through another function of the module.

    ``concerned`` are those and the ones that read a token, with all that call them, in the order of the module.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.of_module = assigned_once(module.tree)
        self.calls = {
            name: [node for node in own_nodes(function) if isinstance(node, ast.Call)]
            for name, function in module.functions
        }
        verify, read = set(), set()
        for name, function in module.functions:
            constants = self.of_module | assigned_once(function)
            readings = {reading_of(call, module, constants) for call in self.calls[name]}
            if readings & _CERTAIN:
                verify.add(name)
            if (readings != {None} and readings) or any(is_base64(call) for call in self.calls[name]):
                read.add(name)
        self.names = self._with_callers(verify)
        concerned = self._with_callers(verify | read)
        self.concerned = tuple(name for name, _ in module.functions if name in concerned)

    def holds(self, body: Iterable[ast.AST], around: str, constants: dict[str, ast.expr]) -> bool:
        """Whether statements check a signature; ``around`` is the function that they stand in."""
        calls = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)]
        return any(
            local_name(call, around) in self.names or reading_of(call, self.module, constants) in _CERTAIN
            for call in calls
        )

    def _with_callers(self, names: set[str]) -> frozenset[str]:
        callers: dict[str, set[str]] = {}
        for name, calls in self.calls.items():
            for call in calls:
                callers.setdefault(local_name(call, name), set()).add(name)
        found, new = set(names), list(names)
        while new:
            more = callers.get(new.pop(), set()) - found
            found |= more
            new += more
        return frozenset(found)


def local_name(call: ast.Call, around: str) -> str:
    """Return the qualified name of the function that a call means, if it is one of the same module."""
    name = dotted(call.func)
    first, _, rest = name.partition(".")
    if rest and first in ("self", "cls"):
        return f"{around.partition('.<locals>')[0].rpartition('.')[0]}.{rest}"
    return name


def only_after_the_signature(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches nothing but what is raised once the signature was found good."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {dotted(one).rpartition(".")[2] for one in caught if one is not None}
    return bool(names) and names <= AFTER_THE_SIGNATURE


def assigned_once(node: ast.AST) -> dict[str, ast.expr]:
    """Return the names that one statement of a function or module assigns, with their values."""
    found: dict[str, list[ast.expr]] = {}
    for one in own_nodes(node):
        if isinstance(one, ast.Assign) and len(one.targets) == 1 and isinstance(one.targets[0], ast.Name):
            found.setdefault(one.targets[0].id, []).append(one.value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}
