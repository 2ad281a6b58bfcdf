"""Publishable keys (``pk_test_…``) whose prefix is taken off and whose rest is used as if it were readable."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from doctor.source.collector import Collector, Module, own_nodes
from doctor.source.expressions import dotted
from doctor.source.facts import MODULE_LEVEL
from doctor.source.tokens import is_base64

_PREFIX = re.compile(r"\^?pk_(?:test_|live_|\(\?:test\|live\)_|\(test\|live\)_)?")
_UNMISTAKABLE = re.compile(r"pk_.*(?:test|live)")
_TAKE_OFF = frozenset({"replace", "removeprefix", "split", "partition", "rsplit", "rpartition"})
_KEPT = frozenset({"replace", "strip", "rstrip", "lstrip", "lower", "removesuffix", "removeprefix"})
_SPLITS = frozenset({"split", "rsplit", "partition", "rpartition"})


@dataclass(frozen=True, slots=True)
class UndecodedKey:
    """At ``line`` the rest of a key is split at dots, or becomes a host, although it is base64."""

    path: str
    line: int
    text: str
    function: str
    splits: bool


@dataclass(slots=True)
class _Known:
    """What is known of names: ``rests`` hold a key without its prefix, ``keys`` were tested for one."""

    module: Module
    rests: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)

    def is_prefix(self, node: ast.expr | None, holder: ast.expr | None = None) -> bool:
        """Whether this is ``pk_test_`` or ``pk_live_``; ``pk_`` alone counts for what is called publishable."""
        if isinstance(node, ast.Name):
            return node.id in self.prefixes
        if isinstance(node, (ast.Tuple, ast.List)):
            return any(self.is_prefix(one, holder) for one in node.elts)
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or not _PREFIX.fullmatch(node.value):
            return False
        named = holder is not None and "publishable" in dotted(holder).lower()
        return named or bool(_UNMISTAKABLE.match(node.value.removeprefix("^")))

    def is_rest(self, node: ast.expr) -> bool:
        """Whether an expression is what follows the prefix."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            return dotted(node) in self.rests
        if isinstance(node, ast.IfExp):
            return self.is_rest(node.body) or self.is_rest(node.orelse)
        if isinstance(node, ast.Subscript):
            if self.is_rest(node.value):
                return True
            return (
                dotted(node.value) in self.keys and isinstance(node.slice, ast.Slice) and node.slice.lower is not None
            )
        return isinstance(node, ast.Call) and self._is_rest_of_call(node)

    def _is_rest_of_call(self, node: ast.Call) -> bool:
        function, first = node.func, node.args[0] if node.args else None
        if self.module.origin(function) == "re.sub":
            return self.is_prefix(first)
        if not isinstance(function, ast.Attribute):
            return False
        if function.attr in _TAKE_OFF and self.is_prefix(first, function.value):
            return True
        if function.attr in _SPLITS and dotted(function.value) in self.keys:
            return isinstance(first, ast.Constant) and first.value == "_"
        return function.attr in _KEPT and self.is_rest(function.value)

    def note(self, node: ast.AST) -> None:
        """Learn from a test, an assignment or a loop."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            if node.args and self.is_prefix(node.args[0], node.func.value):
                self.keys.add(dotted(node.func.value))
        elif isinstance(node, ast.Assign):
            rest = self.is_rest(node.value)
            for target in node.targets:
                (self.rests.add if rest else self.rests.discard)(dotted(target))
                if self.is_prefix(node.value):
                    self.prefixes.add(dotted(target))
        elif isinstance(node, ast.For) and self.is_prefix(node.iter):
            self.prefixes.add(dotted(node.target))


def _collect(module: Module) -> Iterator[UndecodedKey]:
    decoding = {name for name, function in module.functions if _decodes(list(own_nodes(function)), frozenset())}
    places = [(MODULE_LEVEL, module.tree), *module.functions]
    for name, function in places:
        nodes = list(own_nodes(function))
        if _decodes(nodes, frozenset(decoding)):
            continue
        known = _Known(module)
        for node in nodes:
            known.note(node)
            splits = _is_split(node, known)
            if splits or _is_host(node, known):
                line = node.lineno  # type: ignore[attr-defined]
                yield UndecodedKey(module.path, line, module.line(line), name, splits)
                break


def _decodes(nodes: list[ast.AST], decoding: frozenset[str]) -> bool:
    """Whether base64 is decoded here, or in a function of the module that is called here."""
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    names = {name.rpartition(".")[2] for name in decoding}
    return any(is_base64(call) or _is_other_base64(call) for call in calls) or any(
        dotted(call.func).rpartition(".")[2] in names for call in calls
    )


def _is_other_base64(call: ast.Call) -> bool:
    return dotted(call.func).rpartition(".")[2] in ("standard_b64decode", "decodebytes", "a2b_base64", "decode_base64")


def _is_split(node: ast.AST, known: _Known) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _SPLITS
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value == "."
        and known.is_rest(node.func.value)
    )


def _is_host(node: ast.AST, known: _Known) -> bool:
    if not isinstance(node, ast.JoinedStr):
        return False
    pairs = zip(node.values, node.values[1:], strict=False)
    return any(
        isinstance(before, ast.Constant)
        and str(before.value).endswith("://")
        and isinstance(value, ast.FormattedValue)
        and known.is_rest(value.value)
        for before, value in pairs
    )


COLLECTOR = Collector("publishable-keys", 1, (b'"pk_', b"'pk_"), _collect)
