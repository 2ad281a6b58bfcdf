"""Verifications of a token that allow a shared secret's algorithms beside a public key's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.collectors.tokens import TESTS
from doctor.source.tokens import DECODERS, WHOLE_DECODERS


@dataclass(frozen=True, slots=True)
class MixedAlgorithms:
    """The decode at ``line`` takes ``algorithms``, of both kinds."""

    path: str
    line: int
    text: str
    function: str
    algorithms: tuple[str, ...]


def _collect(module: Module) -> Iterator[MixedAlgorithms]:
    if TESTS.search(module.path):
        return
    constants = {
        target.id: node.value
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    seen: set[int] = set()
    for name, function in (*reversed(module.functions), ("", module.tree)):
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or module.origin(node.func) not in DECODERS | WHOLE_DECODERS:
                continue
            algorithms = _algorithms(node, constants)
            if _are_mixed(algorithms) and node.lineno not in seen:
                seen.add(node.lineno)
                yield MixedAlgorithms(module.path, node.lineno, module.line(node.lineno), name, algorithms)


def _algorithms(call: ast.Call, constants: dict[str, ast.expr]) -> tuple[str, ...]:
    """Return the algorithms that are written down; none where they are not."""
    given = next((word.value for word in call.keywords if word.arg == "algorithms"), None)
    if given is None and len(call.args) > 2:
        given = call.args[2]
    if isinstance(given, ast.Name):
        given = constants.get(given.id)
    if not isinstance(given, ast.List | ast.Tuple | ast.Set):
        return ()
    return tuple(e.value for e in given.elts if isinstance(e, ast.Constant) and isinstance(e.value, str))


def _are_mixed(algorithms: tuple[str, ...]) -> bool:
    return len({name.startswith("HS") for name in algorithms if name[:2] in ("HS", "RS", "ES", "PS", "Ed")}) == 2


COLLECTOR = Collector("jwt-algorithms", 1, (b"HS256", b"HS384", b"HS512"), _collect)
